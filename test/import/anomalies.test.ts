/** anomaliesOf(): findings about live rules, and the remarks that the policy gets for them. */
import { describe, expect, test } from '@jest/globals';
import type { Imported } from '../../src/import/model.js';
import { formatProblem, type Result } from '../../src/lib/problem.js';
import { DOCKER } from '../compile/foreign.js';
import { importOf, messagesOf, type Texts } from './import-texts.js';

const filter = (...rules: readonly string[]): string =>
  `*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -m conntrack --ctstate INVALID -j DROP\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n${rules.map((rule) => `-A INPUT ${rule}\n`).join('')}COMMIT\n`;

function imported(result: Result<Imported>): Imported {
  if (!result.ok) throw new Error(messagesOf(result).join('\n'));
  return result.value;
}
const anomalies = ({ hosts }: Imported): readonly string[] =>
  hosts.flatMap((host) => host.anomalies.map(formatProblem));

const RULES = [
  '-s 10.0.0.0/9 -j DROP',
  '-s 10.128.0.0/9 -j DROP',
  '-s 10.0.0.0/8 -p tcp -m tcp --dport 443 -j ACCEPT',
  '-p tcp -m tcp --dport 443 -j ACCEPT',
  '-p tcp -m tcp --dport 443 -j ACCEPT',
  '-s 172.16.0.0/12 -j ACCEPT',
];

describe('a host with rules that do nothing', () => {
  const result = importOf({ v4: filter(...RULES) });

  test('each is reported with its file and line, its chain and number, and the rules that hide it', async () => {
    expect(anomalies(imported(await result))).toEqual([
      'h.v4:11:4: warning: Rule 7 of INPUT (filter, "-s 10.0.0.0/8 -p tcp -m tcp --dport 443 -j ACCEPT") can never match: earlier rules drop its new connections: rule 5 of INPUT ("-s 10.0.0.0/9 -j DROP"), rule 6 of INPUT ("-s 10.128.0.0/9 -j DROP"). Move it before them, or remove it.',
      expect.stringMatching(
        /^h\.v4:13:4: note: Rule 9 of INPUT .* can never match: earlier rules do the same/,
      ),
      expect.stringMatching(
        /^h\.v4:14:4: note: Rule 10 of INPUT .* accepts every port from 1,048,576 addresses unless an earlier rule decides\./,
      ),
    ]);
  });

  test('entries of rules that can be removed have a remark in the policy', async () => {
    const host = imported(await result).files.get('hosts/h.yml') ?? '';
    expect(host).toMatch(/ {2}# h: Rule 7 of INPUT .* can never match: .*\n {2}- allow: https\n {4}from: /);
    expect(host).toMatch(/ {2}# h: Rule 9 of INPUT .*\n {2}- allow: https\n/);
    expect(host).not.toContain('# h: Rule 10');
  });
});

test('an entry has at most three remarks', async () => {
  const ports = [8001, 8002, 8003, 8004, 8005].map((port) => `-p tcp -m tcp --dport ${port} -j ACCEPT`);
  const texts = { v4: filter('-p tcp -m tcp --dport 8000:9000 -j ACCEPT', ...ports) };
  const host = imported(await importOf(texts)).files.get('hosts/h.yml') ?? '';
  expect(host.match(/# h: Rule/g)).toHaveLength(3);
  expect(host).toContain('# 2 more of these rules have such a remark.');
});

test('a host without such rules has none; remarks in a role name the host', async () => {
  expect(anomalies(imported(await importOf({ v4: filter() })))).toEqual([]);
  const hosts: { readonly [name: string]: Texts } = {
    'web-1': { v4: filter(...RULES) },
    'web-2': { v4: filter(...RULES) },
  };
  const both = imported(await importOf(hosts));
  expect(both.hosts.map((host) => host.anomalies.length)).toEqual([3, 3]);
  expect(both.files.get('roles/web.yml')).toContain('# web-1: Rule 7 of INPUT');
});

test('rules of programs are not reported', async () => {
  expect(anomalies(imported(await importOf({ v4: DOCKER }, ['203.0.113.0/24'])))).toEqual([]);
});
