import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderRuleset } from '../../src/compile/render.js';
import { compileHost } from '../../src/compile/rules/compile.js';
import type { Ruleset } from '../../src/netfilter/model.js';
import { loadFleet } from '../../src/policy/load.js';
import { GOLDEN, OTHERS } from './cases.js';
import { compiled, unwrap } from './fleet.js';
import { BACKENDS, inKernel, setLines, tablesOf } from './kernel.js';

const POLICIES = join(dirname(fileURLToPath(import.meta.url)), '../../policies');

async function rulesets(): Promise<readonly (readonly [string, Ruleset])[]> {
  const fleet = unwrap(await loadFleet(POLICIES));
  return [
    ...[...GOLDEN, ...OTHERS].map(({ name, host, files }) => [name, compiled(host, files)] as const),
    ...fleet.hosts.map((host) => [host.name, unwrap(compileHost(fleet, host))] as const),
  ];
}

test.each(BACKENDS)('%s prints every rendered host as it was rendered', async (backend) => {
  const all = (await rulesets()).map(([name, ruleset]) => ({ name, text: renderRuleset(ruleset) }));
  const parts = ['v4', 'v6', 'sets'] as const;
  const files = Object.fromEntries(
    all.flatMap(({ text }, index) => parts.map((part) => [`${index}.${part}`, text[part]])),
  );
  // Each host in a namespace of its own, below the one of the script.
  const script = all
    .map(
      (_, at) => `unshare -n sh -ec "
      ipset restore < ${at}.sets; $v4-restore < ${at}.v4; $v6-restore < ${at}.v6
      ipset save > ${at}.sets.out; $v4-save > ${at}.v4.out; $v6-save > ${at}.v6.out"`,
    )
    .join('\n');
  const outputs = all.flatMap((_, index) => parts.map((part) => `${index}.${part}.out`));
  const saved = inKernel(backend, files, script, outputs);
  for (const [index, { name, text }] of all.entries()) {
    const out = (part: string): string => saved[`${index}.${part}.out`] ?? '';
    expect([name, tablesOf(out('v4'))]).toEqual([name, tablesOf(text.v4)]);
    expect([name, tablesOf(out('v6'))]).toEqual([name, tablesOf(text.v6)]);
    expect([name, setLines(out('sets'))]).toEqual([name, setLines(text.sets)]);
  }
});
