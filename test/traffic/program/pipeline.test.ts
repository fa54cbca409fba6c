import { describe, expect, it } from '@jest/globals';
import type { BaseChain, CompiledRuleset } from '../../../src/traffic/program/compiled-ruleset.js';
import { type Stage, stagesOf } from '../../../src/traffic/program/pipeline.js';

const withChains = (...baseChains: readonly BaseChain[]): CompiledRuleset => ({
  family: 'v4',
  baseChains,
  chains: new Map(),
  addresses: [],
  usedFields: new Set(),
  rewritesPackets: false,
});

const chain = (table: string, hook: BaseChain['hook'], priority: number, nat = false): BaseChain => ({
  table,
  chain: 'c',
  hook,
  priority,
  nat,
});

const names = (stages: readonly Stage[]): readonly unknown[] =>
  stages.map((stage) =>
    stage.kind === 'table'
      ? `${stage.table} ${stage.chain}`
      : stage.kind === 'unordered'
        ? stage.orders.map(names)
        : stage.kind,
  );

describe('stagesOf()', () => {
  it('has the tables of iptables in the order of the kernel', () => {
    expect(names(stagesOf(withChains(), 'INPUT'))).toEqual([
      'raw PREROUTING',
      'conntrack',
      'mangle PREROUTING',
      'nat PREROUTING',
      'mangle INPUT',
      'filter INPUT',
      'security INPUT',
      'nat INPUT',
    ]);
    expect(names(stagesOf(withChains(), 'OUTPUT'))).toEqual([
      'raw OUTPUT',
      'conntrack',
      'mangle OUTPUT',
      'nat OUTPUT',
      'filter OUTPUT',
      'security OUTPUT',
      'mangle POSTROUTING',
      'nat POSTROUTING',
    ]);
  });

  it('puts native chains where their priority is, and those of netdev first', () => {
    const ruleset = withChains(
      chain('inet late', 'input', 10),
      chain('inet early', 'input', -10),
      chain('netdev ddos', 'ingress', -500),
      chain('inet other', 'output', 0),
    );
    expect(names(stagesOf(ruleset, 'INPUT'))).toEqual([
      'netdev ddos c',
      'raw PREROUTING',
      'conntrack',
      'mangle PREROUTING',
      'nat PREROUTING',
      'mangle INPUT',
      'inet early c',
      'filter INPUT',
      'inet late c',
      'security INPUT',
      'nat INPUT',
    ]);
  });

  it('runs every chain of type nat where nat runs, in the order of their priorities', () => {
    const ruleset = withChains(
      chain('ip a', 'prerouting', -99, true),
      chain('ip b', 'prerouting', -400, true),
    );
    expect(names(stagesOf(ruleset, 'INPUT')).slice(0, 6)).toEqual([
      'raw PREROUTING',
      'conntrack',
      'mangle PREROUTING',
      'ip b c',
      'nat PREROUTING',
      'ip a c',
    ]);
  });

  it('does not know the order of a chain with the priority of connection tracking', () => {
    const [first, second] = stagesOf(withChains(chain('ip t', 'prerouting', -200)), 'INPUT');
    expect(names([first as Stage, second as Stage])).toEqual([
      'raw PREROUTING',
      [
        ['conntrack', 'ip t c'],
        ['ip t c', 'conntrack'],
      ],
    ]);
  });
});
