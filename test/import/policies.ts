/** Random policies that use every feature but literal rules, as their files. */
import fc from 'fast-check';

const NETWORKS = `networks:
  admin: [203.0.113.0/28, "2001:db8:a::/48"]
  app: [10.10.0.0/16, "2001:db8:10::/48"]
  four: [192.168.1.0/24, 198.51.100.7]
  six: "2001:db8:6::/48"
  many: [${Array.from({ length: 40 }, (_, index) => `100.64.${index}.0/25, "2001:db8:f:${index.toString(16)}::/64"`).join(', ')}]
`;

type Value = string | number | boolean | readonly Value[] | { readonly [key: string]: Value };
type Entry = { readonly [key: string]: Value };

const services = fc.oneof(
  fc.constantFrom<Value>(
    'any',
    'ssh',
    'web',
    'dns',
    'udp/1000-2000',
    'tcp',
    'esp',
    'icmp',
    'ping',
    'icmp/3/4',
    'protocol/112',
  ),
  fc.uniqueArray(
    fc.constantFrom('https', 'tcp/8080', 'udp/53', 'tcp/9000-9010', 'sctp/3868', 'ping', 'postgres', 'mosh'),
    { minLength: 1, maxLength: 4 },
  ),
);
const addresses = fc.constantFrom<Value>(
  'app',
  'four',
  'many',
  'private',
  '192.0.2.77',
  '2001:db8:7::7',
  ['four', 'six'],
  ['10.1.0.0/16', '10.3.0.0/16', '2001:db8:1::/48'],
);
const except = fc.constantFrom<Value>(
  '198.51.100.128/25',
  ['198.51.100.0/24', '2001:db8:bad::/48', '192.0.2.9'],
  'many',
);
const rate = fc.constantFrom<Value>(
  '10/minute',
  { limit: '3/second', burst: 9 },
  { limit: '30/hour', per: 'source' },
);
const state = fc.constantFrom<Value>(
  'any',
  'new',
  ['new', 'invalid'],
  ['established', 'related'],
  'untracked',
);
const reasons = fc.constantFrom('Because', 'It is "so"', 'Über den Wolken: 100%');

const sometimes = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 3 });

const given = (entries: { readonly [key: string]: Value | undefined }): Entry =>
  Object.fromEntries(
    Object.entries(entries).filter((entry): entry is [string, Value] => entry[1] !== undefined),
  );

const rule = (direction: 'input' | 'output' | 'forward'): fc.Arbitrary<Entry> =>
  fc
    .record({
      verb: fc.constantFrom('allow', 'allow', 'deny', 'reject', 'log'),
      services,
      from: sometimes(addresses),
      to: sometimes(addresses),
      except: sometimes(except),
      in: sometimes(fc.constantFrom('public', 'private', 'lo')),
      out: sometimes(fc.constantFrom('public', 'private')),
      rate: sometimes(rate),
      state: sometimes(state),
      log: sometimes(fc.constant(true)),
      family: sometimes(fc.constantFrom('v4', 'v6')),
      reason: reasons,
    })
    .map(({ verb, services: what, ...rest }) =>
      given({
        [verb]: what,
        from: rest.from,
        to: rest.to,
        except: rest.except,
        in: direction === 'output' ? undefined : rest.in,
        out: direction === 'input' ? undefined : rest.out,
        rate: verb === 'allow' ? rest.rate : undefined,
        state: rest.state,
        log: verb === 'log' ? undefined : rest.log,
        family: rest.family,
        reason: rest.reason,
      }),
    );

const nat = fc.constantFrom<Entry>(
  { masquerade: 'any', out: 'public', reason: 'Out' },
  { masquerade: 'any', from: 'four', out: 'public', reason: 'Out' },
  { snat: 'any', from: 'app', out: 'public', target: '192.0.2.10', reason: 'Known as this' },
  { dnat: 'https', in: 'public', target: '10.10.0.5:8443', reason: 'The site' },
  { dnat: ['tcp/80', 'udp/53'], from: 'app', target: '2001:db8:10::5', reason: 'Inside' },
  { redirect: 'http', in: 'private', target: 3128, reason: 'Proxy' },
);

const baseline = fc.record({
  input: fc.constantFrom('drop', 'drop', 'accept'),
  forward: fc.constantFrom('drop', 'accept'),
  output: fc.constantFrom('accept', 'accept', 'drop'),
  icmp: fc.constantFrom('essential', 'all', 'none'),
  log: fc.constantFrom<Value>(false, { prefix: 'dropped: ', level: 'info' }, { rate: '1/second', burst: 3 }),
  invalid: fc.constantFrom('drop', 'rules'),
});

export interface RandomPolicy {
  readonly baseline: Entry;
  readonly input: readonly Entry[];
  readonly output: readonly Entry[];
  readonly forward: readonly Entry[];
  readonly nat: readonly Entry[];
}

export const randomPolicy: fc.Arbitrary<RandomPolicy> = fc.record({
  baseline,
  input: fc.array(rule('input'), { maxLength: 6 }),
  output: fc.array(rule('output'), { maxLength: 3 }),
  forward: fc.array(rule('forward'), { maxLength: 3 }),
  nat: fc.uniqueArray(nat, { maxLength: 2 }),
});

/** JSON is YAML. */
export const policyFiles = (policy: RandomPolicy): ReadonlyMap<string, string> =>
  new Map([
    ['policies/fleet.yml', 'version: 1\nssh: {user: deploy}\nadmin: [admin]\n'],
    ['policies/networks.yml', NETWORKS],
    [
      'policies/hosts/h.yml',
      JSON.stringify({
        addresses: ['192.0.2.10', '2001:db8::10'],
        interfaces: { public: 'eth0', private: 'eth1' },
        ...policy,
      }),
    ],
  ]);
