/** `render`: the files of every host, exactly as the tools on it would print them. */

import { renderRuleset } from '../compile/render.js';
import { compileHost } from '../compile/rules/compile.js';
import type { Problem, Result } from '../lib/problem.js';
import type { RulesText } from '../netfilter/model.js';
import { chooseHosts, type FleetOptions } from './inputs/fleet.js';

export interface Rendered {
  readonly host: string;
  readonly text: RulesText;
}

/** Compiles the chosen hosts to the texts of their rules files. */
export async function render(options: FleetOptions): Promise<Result<readonly Rendered[]>> {
  const chosen = await chooseHosts(options);
  if (!chosen.ok) return chosen;
  const { fleet, hosts } = chosen.value;
  const rendered: Rendered[] = [];
  const problems: Problem[] = [...chosen.problems];
  for (const host of hosts) {
    const compiled = compileHost(fleet, host);
    problems.push(...compiled.problems);
    if (compiled.ok) rendered.push({ host: host.name, text: renderRuleset(compiled.value) });
  }
  return rendered.length === hosts.length ? { ok: true, value: rendered, problems } : { ok: false, problems };
}

/** Path below the output folder → text. */
export const renderedFiles = (rendered: readonly Rendered[]): ReadonlyMap<string, string> =>
  new Map(
    rendered.flatMap(({ host, text }) => [
      [`${host}/rules.v4`, text.v4],
      [`${host}/rules.v6`, text.v6],
      [`${host}/sets`, text.sets],
    ]),
  );
