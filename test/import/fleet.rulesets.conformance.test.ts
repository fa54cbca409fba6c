/** importFleet() on real rulesets, those of programs, and random ones: imported and proved, or refused. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { STATES } from '../compile/foreign.js';
import { RULES } from '../netfilter/rule/corpus.js';
import { TEXTS } from '../netfilter/rule/corpus-texts.js';
import { generateRules, generateSets } from '../traffic/trace/kernel/generate.js';
import { seededRandom } from '../traffic/trace/kernel/random.js';
import { ids, importOf, messagesOf } from './import-texts.js';

const FOLDER = process.env.SALLYPORT_RULESETS ?? join(import.meta.dirname, '../../../shared/data/rulesets');
const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.v4')) : [];

/** The refused rulesets, and why. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  // SSH is open on one interface only, without networks: --admin has to name them.
  'serverfault-765855.v4': ['import-no-admin'],
  // The bans of fail2ban come after the rule that accepts and have no effect; the policy would come after them.
  'serverfault-766198.v4': ['import-differs'],
  // SSH is closed.
  'serverfault-795234.v4': ['import-no-admin'],
};

const ADMIN = ['203.0.113.0/24', '2001:db8:a::/48'];

describe('real rulesets', () => {
  test(`there are ${files.length} files beside the repository`, () => {
    if (files.length === 0) console.info(`no real rulesets at ${FOLDER}: nothing to import`);
  });

  for (const name of files)
    test(name, async () => {
      const result = await importOf({ v4: readFileSync(join(FOLDER, name), 'utf8') });
      const refused = REFUSED[name];
      if (refused !== undefined) {
        expect({ ok: result.ok, ids: ids(result) }).toEqual({ ok: false, ids: refused });
        return;
      }
      expect({ ok: result.ok, messages: messagesOf(result) }).toEqual({ ok: true, messages: [] });
    });
});

/** Rulesets of one kind: a short one, and the real one where it is beside the repository. */
const kind = (name: string, ...rules: readonly string[]): readonly string[] => [
  `*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n${rules.join('\n')}\nCOMMIT\n`,
  ...(files.includes(name) ? [readFileSync(join(FOLDER, name), 'utf8')] : []),
];
const withAdmin = (v4: string) => importOf({ v4 }, ['203.0.113.0/24']);
const ESTABLISHED = '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT';

describe('with --admin', () => {
  const OF_INTERFACE = kind(
    'serverfault-765855.v4',
    ':OUTPUT ACCEPT [0:0]',
    '-A INPUT -i lo -j ACCEPT',
    ESTABLISHED,
    '-A INPUT -i eth1 -p tcp -m tcp --dport 22 -j ACCEPT',
  );
  test.each(OF_INTERFACE)(
    'SSH that depends on an interface is opened to them, with a warning',
    async (v4) => {
      const result = await withAdmin(v4);
      expect({ ok: result.ok, ids: ids(result) }).toEqual({ ok: true, ids: ['import-admin-opens'] });
    },
  );

  const LATE_BANS = kind(
    'serverfault-766198.v4',
    ':OUTPUT ACCEPT [0:0]',
    ':f2b-sshd - [0:0]',
    ESTABLISHED,
    '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
    '-A INPUT -p tcp -m tcp --dport 22 -j f2b-sshd',
    '-A f2b-sshd -s 198.51.100.9/32 -j REJECT --reject-with icmp-port-unreachable',
    '-A f2b-sshd -j RETURN',
  );
  test.each(LATE_BANS)('bans after the rule that accepts: the hint says to move their jump', async (v4) => {
    expect(messagesOf(await withAdmin(v4)).join('\n')).toContain('move their jump to the top as well');
  });

  const WITHOUT_ANSWERS = kind(
    'serverfault-795234.v4',
    ':OUTPUT DROP [0:0]',
    ESTABLISHED,
    '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
    '-A OUTPUT -p udp -m udp --dport 53 -j ACCEPT',
  );
  test.each(WITHOUT_ANSWERS)('a host that drops the replies of SSH would lock them out', async (v4) => {
    const result = await withAdmin(v4);
    expect(result.ok).toBe(false);
    expect(messagesOf(result).join('\n')).toMatch(/SSH replies to 203\.0\.113\.0\/24 would be dropped/);
  });
});

describe('rules of programs', () => {
  test.each(STATES)('%s', async (_, text) => {
    const result = await importOf({ v4: text }, ['203.0.113.0/24']);
    expect(ids(result).filter((id) => !id.startsWith('import-') && !id.startsWith('lockout'))).toEqual([]);
  });
});

describe('import never throws, and proves what it returns', () => {
  const open = (rules: readonly string[]): string =>
    `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:USERCHAIN - [0:0]\n${rules.map((rule) => `-A FORWARD ${rule}\n`).join('')}COMMIT\n`;

  test.each(['v4', 'v6'] as const)(
    'every hand-written rule of %s',
    async (family) => {
      const found = new Map<string, number>();
      for (const rule of RULES[family]) {
        const result = await importOf({ [family]: open([rule]) }, ADMIN);
        const key = result.ok ? 'imported' : ids(result).join(' ');
        found.set(key, (found.get(key) ?? 0) + 1);
      }
      console.info(`${family}: ${JSON.stringify([...found])}`);
      expect(found.get('imported') ?? 0).toBeGreaterThan(100);
      expect([...found.keys()].filter((key) => key.includes('import-differs'))).toEqual([]);
    },
    600_000,
  );

  test('whole texts', async () => {
    for (const text of TEXTS) {
      const result = await importOf({ v4: text, v6: text }, ADMIN);
      expect(result.ok || result.problems.length > 0).toBe(true);
    }
  }, 600_000);

  test('random rulesets', async () => {
    const outcomes = new Map<string, number>();
    for (let seed = 1; seed <= 25; seed++) {
      const by = seededRandom(seed);
      for (const family of ['v4', 'v6'] as const) {
        const sets = generateSets(by, family);
        const result = await importOf({ [family]: generateRules(by, family), sets }, ADMIN);
        const key = result.ok ? 'imported' : ids(result).join(' ');
        outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
      }
    }
    console.info(JSON.stringify([...outcomes]));
    expect([...outcomes.keys()].filter((key) => /unexpected/.test(key))).toEqual([]);
  }, 600_000);
});
