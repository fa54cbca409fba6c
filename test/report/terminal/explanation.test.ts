/** The explanation of one packet on a terminal. */
import { expect, test } from '@jest/globals';
import { explanationText } from '../../../src/report/terminal/explanation.js';
import type { Packet } from '../../../src/traffic/model.js';
import { explainWithHints } from '../../../src/traffic/questions/hints.js';
import { DROPS, ruleset, table } from '../../traffic/rules.js';

const PACKET: Packet = { hook: 'INPUT', src: '198.51.100.7', dst: '192.0.2.10', protocol: 'tcp', dport: 443 };

function text(...rules: readonly string[]): string {
  const v4 = table('filter', rules, DROPS);
  const answer = explainWithHints(ruleset({ v4 }), PACKET);
  if (answer === undefined) throw new Error('Both addresses are of one family.');
  return explanationText(PACKET, answer, { colour: false });
}

test('explanationText() prints one line for each rule on the path through chains', () => {
  expect(text('-A INPUT -j WEB', '-A WEB -p tcp -m tcp --dport 443 -j ACCEPT')).toBe(
    `Accepted by -A WEB -p tcp -m tcp --dport 443 -j ACCEPT (rules.v4:6).
INPUT: tcp 198.51.100.7 to 192.0.2.10:443, NEW

  filter INPUT 1  jump WEB  -j WEB
  filter WEB 1    accept    -p tcp -m tcp --dport 443 -j ACCEPT
`,
  );
});

test('a verdict that depends on a rate limit is unknown, with the match that it depends on', () => {
  const output = text('-A INPUT -p tcp -m limit --limit 5/min -j ACCEPT');
  expect(output).toMatch(/^Unknown: depends on -A INPUT -p tcp -m limit --limit 5\/min -j ACCEPT/);
  expect(output).toContain('- It depends on "-m limit --limit 5/min", which is not modelled.');
});

test('text of a rule cannot control the terminal', () => {
  const output = text('-A INPUT -p tcp -m comment --comment "\u001b[31mx" -j ACCEPT');
  expect(output).not.toContain('\u001b');
});

test('a rule that can never match is listed with its location and the rule that hides it, at most five of them', () => {
  const late = (port: number) => `-A INPUT -p tcp -m tcp --dport ${port}:500 -j ACCEPT`;
  expect(text('-A INPUT -p tcp -j DROP', late(400))).toContain(
    '- rules.v4:5: Rule 2 of INPUT (filter, "-p tcp -m tcp --dport 400:500 -j ACCEPT") can never match: earlier rules drop its packets: rule 1 of INPUT ("-p tcp -j DROP"). Move it before them, or remove it.',
  );
  const output = text('-A INPUT -p tcp -j DROP', ...[400, 401, 402, 403, 404, 405, 406].map(late));
  expect(output.match(/can never match/g)).toHaveLength(5);
  expect(output).toContain('- 2 more rules that would match it are unreachable.\n');
});
