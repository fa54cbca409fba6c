/** A client in a process of its own, to be killed: deploys once and prints each phase as it begins. */
import { join } from 'node:path';
import type { Lab, Host as LabHost } from '../../../src/lab/lab.js';
import type { Wanted } from '../change.js';

export interface KilledClient {
  /** Resolves when the program has ended. */
  readonly ended: Promise<void>;
  /** Everything that it printed. */
  readonly output: () => string;
}

/** Starts the program, which kills itself with SIGKILL as the phase begins: another process could not time it. */
export function killedAt(lab: Lab, host: LabHost, phase: string, wanted: Wanted): KilledClient {
  const client = lab.spawn(process.execPath, [programOf(lab)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      CLIENT_OPTIONS: JSON.stringify({
        identity: lab.identity,
        knownHosts: lab.knownHosts,
        host: { name: host.name, addresses: host.addresses, port: host.port, user: host.user },
        wanted,
        dieAt: phase,
      }),
    },
  });
  let output = '';
  client.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  return { ended: new Promise((resolve) => client.once('close', () => resolve())), output: () => output };
}

const programOf = (lab: Lab): string => join(lab.directory, 'client.mjs');

/** Builds the program; once for each lab. */
export async function bundleClient(lab: Lab): Promise<void> {
  const { build } = await import('esbuild');
  await build({
    stdin: {
      contents: `
        import { readFileSync } from 'node:fs';
        import { changeTo } from './test/host/change.ts';
        import { policyHost } from './test/host/hosts.ts';
        import { openHosts } from './src/host/open.ts';
        const options = JSON.parse(process.env.CLIENT_OPTIONS);
        const host = policyHost(options.host);
        const client = openHosts({
          knownHosts: [readFileSync(options.knownHosts, 'utf8')],
          key: { text: readFileSync(options.identity, 'utf8') },
        });
        const reading = await client.read(host);
        const change = { ...changeTo(reading.state, options.wanted), confirmWithinSeconds: 8 };
        const result = await client.transact(host, change, (phase) => {
          console.log(phase);
          if (phase === options.dieAt) process.kill(process.pid, 'SIGKILL');
        });
        console.log(JSON.stringify(result));
        await client.close();`,
      resolveDir: join(import.meta.dirname, '../../..'),
      loader: 'ts',
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    loader: { '.sh': 'text' },
    banner: {
      js: `import { createRequire } from 'node:module'; const require = createRequire(${JSON.stringify(`${process.cwd()}/package.json`)}); const __dirname = '/'; const __filename = '/client.js';`,
    },
    external: ['cpu-features', '*.node'],
    outfile: programOf(lab),
    logLevel: 'silent',
  });
}
