/** A client as a program of its own, so that it can be killed: deploys once and prints each phase as it begins. */
import { join } from 'node:path';
import type { Lab, Host as LabHost } from '../../../src/lab/lab.js';
import type { Wanted } from '../change.js';

export interface Killed {
  /** Resolves when the program has ended. */
  readonly ended: Promise<void>;
  /** Everything it printed. */
  readonly said: () => string;
}

/** Starts the program, which kills itself with SIGKILL as the phase begins: no other process would hit the moment. */
export function killedAt(lab: Lab, host: LabHost, phase: string, wanted: Wanted): Killed {
  const client = lab.spawn(process.execPath, [programOf(lab)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      SCENE: JSON.stringify({
        identity: lab.identity,
        knownHosts: lab.knownHosts,
        host: { name: host.name, addresses: host.addresses, port: host.port, user: host.user },
        wanted,
        dieAt: phase,
      }),
    },
  });
  let said = '';
  client.stdout?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  return { ended: new Promise((resolve) => client.once('close', () => resolve())), said: () => said };
}

const programOf = (lab: Lab): string => join(lab.directory, 'client.mjs');

/** Builds the program, once for each lab. */
export async function bundleClient(lab: Lab): Promise<void> {
  const { build } = await import('esbuild');
  await build({
    stdin: {
      contents: `
        import { readFileSync } from 'node:fs';
        import { changeTo } from './test/host/change.ts';
        import { policyHost } from './test/host/hosts.ts';
        import { openHosts } from './src/host/open.ts';
        const scene = JSON.parse(process.env.SCENE);
        const host = policyHost(scene.host);
        const port = openHosts({
          knownHosts: [readFileSync(scene.knownHosts, 'utf8')],
          key: { text: readFileSync(scene.identity, 'utf8') },
        });
        const reading = await port.read(host);
        const change = { ...changeTo(reading.state, scene.wanted), confirmWithinSeconds: 8 };
        const result = await port.transact(host, change, (phase) => {
          console.log(phase);
          if (phase === scene.dieAt) process.kill(process.pid, 'SIGKILL');
        });
        console.log(JSON.stringify(result));
        await port.close();`,
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
