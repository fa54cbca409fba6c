/** The options of one extension: checked together, in canonical form. */

import type { Family } from '../../lib/family.js';
import { protocolName } from '../extensions/protocols.js';
import {
  type ExtensionRow,
  findOption,
  forFamily,
  isRefusal,
  type Refusal,
  refuse,
  type ValueContext,
} from '../extensions/row.js';
import type { Extension, Option } from '../model.js';
import { quote } from '../text/tokens.js';
import { fault, type Loaded, protocolContext, type State } from './state.js';

export interface Finished {
  readonly extension: Extension;
  readonly text: string;
}

/** Checks the combination of an extension's options and puts them in canonical order. */
export function finish(state: State, loaded: Loaded): Finished {
  const { row } = loaded;
  if (row === undefined) return verbatim(loaded);
  if (loaded.broken) return { extension: { name: row.name, options: [], known: true }, text: '' };
  const refusal = combination(loaded, row, state);
  if (refusal !== undefined) {
    fault(state, loaded, 'bad-combination', `${row.name} ${refusal.refused}.`, refusal.hint);
    return { extension: { name: row.name, options: [], known: true }, text: '' };
  }
  const context: ValueContext = { family: state.family, ...protocolContext(state) };
  const ordered =
    row.order === 'given' ? loaded.given.map((given) => given.option) : inRowOrder(loaded, row, state.family);
  const rewritten = row.finish === undefined ? ordered : row.finish(ordered, context);
  if (isRefusal(rewritten)) {
    fault(state, loaded, 'bad-combination', `${row.name} ${rewritten.refused}.`, rewritten.hint);
    return { extension: { name: row.name, options: [], known: true }, text: '' };
  }
  const options = rewritten.filter((each) => !isHidden(each, row, state.family));
  return { extension: { name: row.name, options, known: true }, text: optionsText(options, row) };
}

function inRowOrder(loaded: Loaded, row: ExtensionRow, family: Family): readonly Option[] {
  const options = loaded.given.map((given) => given.option);
  for (const each of row.options)
    if (each.implied !== undefined && !loaded.given.some((given) => given.row === each))
      options.push({ flag: each.flag, negated: false, values: [forFamily(each.implied, family)] });
  const rank = (option: Option): number => findOption(row, option.flag)?.position ?? 0;
  return options.length > 1 ? options.sort((a, b) => rank(a) - rank(b)) : options;
}

function combination(loaded: Loaded, row: ExtensionRow, state: State): Refusal | undefined {
  const flags = new Set(loaded.given.map((each) => each.option.flag));
  const missing = row.options.find((each) => each.required && !flags.has(each.flag));
  if (missing !== undefined) return refuse(`needs ${missing.flag}`);
  if (row.oneOf !== undefined) {
    const choices = row.oneOf === 'any' ? row.options.map((each) => each.flag) : row.oneOf;
    if (!choices.some((flag) => flags.has(flag))) return refuse(`needs ${choices.join(' or ')}`);
  }
  for (const [index, { row: each }] of loaded.given.entries()) {
    const clash = each?.excludes.find((flag) => flags.has(flag));
    if (clash !== undefined) return refuse(`takes ${each?.flag} or ${clash}, not both`);
    const need = each?.needs.find((flag) => !flags.has(flag));
    if (need !== undefined) return refuse(`takes ${each?.flag} only with ${need}`);
    const late = each?.after.find(
      (flag) => !loaded.given.some((earlier, position) => position < index && earlier.option.flag === flag),
    );
    if (late !== undefined) return refuse(`takes ${each?.flag} only after ${late}`);
  }
  return wrongProtocol(row, state);
}

function wrongProtocol(row: ExtensionRow, state: State): Refusal | undefined {
  if (row.protocols === undefined) return undefined;
  const { protocol } = state;
  const name = protocol === undefined ? undefined : protocolName(protocol.number);
  if (protocol?.negated === false && name !== undefined && row.protocols.includes(name)) return undefined;
  return refuse(
    'does not match the protocol of the rule',
    `Add -p ${row.protocols.join(' or -p ')} before it.`,
  );
}

const isHidden = (each: Option, row: ExtensionRow, family: Family): boolean => {
  if (each.negated) return false;
  const hidden = findOption(row, each.flag)?.row.hidden;
  return hidden !== undefined && forFamily(hidden, family) === each.values.join(' ');
};

function optionsText(options: readonly Option[], row: ExtensionRow): string {
  let text = '';
  for (const each of options) {
    const types = findOption(row, each.flag)?.row.values;
    text += each.negated ? ` ! ${each.flag}` : ` ${each.flag}`;
    for (const [index, value] of each.values.entries()) text += ` ${types?.[index]?.print?.(value) ?? value}`;
  }
  return text;
}

/** An unknown extension keeps its words, their order and their quotes. */
function verbatim(loaded: Loaded): Finished {
  const options = loaded.given.map((each) => each.option);
  let text = '';
  for (const { option, quoted } of loaded.given) {
    text += option.negated ? ` ! ${option.flag}` : ` ${option.flag}`;
    for (const [index, value] of option.values.entries())
      text += quoted[index] ? ` ${quote(value)}` : ` ${value}`;
  }
  return { extension: { name: loaded.name, options, known: false }, text };
}
