/** No secret of the job is in any output. */
import { describe, expect, test } from '@jest/globals';
import { redactor, secretsOf } from '../../src/action/secrets.js';
import { error, warning } from '../../src/lib/problem.js';
import { databaseHost, drift, outcomes, typicalPlan } from '../report/example.js';
import { done, failed, pullEvent, pushEvent, runJob } from './context.js';

describe('secrets', () => {
  const key = [
    '-----BEGIN OPENSSH PRIVATE KEY-----',
    'b3BlbnNzaC1rZXktdjEAAAAABG5vbmU',
    'AAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2g',
    '-----END OPENSSH PRIVATE KEY-----',
  ].join('\n');

  test('every line of a key is one, its frame is none', () => {
    const secrets = secretsOf({ ssh: { key, passphrase: 'open sesame' }, token: 'ghs_token' });
    expect(secrets).toContain('b3BlbnNzaC1rZXktdjEAAAAABG5vbmU');
    expect(secrets).not.toContain('-----END OPENSSH PRIVATE KEY-----');
    const redact = redactor(secrets);
    expect(redact(`token ghs_token, ${key}, open sesame`)).toBe('token ***, ***, ***');
  });

  test('whatever a host or a fault says, no secret leaves by comment, summary, output, file, annotation or log', async () => {
    const leak = `Said ${key} and ghs_0123456789abcdef and open sesame-42.`;
    const inputs = {
      'ssh-key': key,
      'ssh-key-passphrase': 'open sesame-42',
      'github-token': 'ghs_0123456789abcdef',
    };
    const location = { kind: 'policy' as const, file: 'policies/a.yml', line: 1, column: 1 };
    const finding = { id: 'x', level: 'error', message: leak, hint: leak, source: location } as const;
    const plan = {
      ...typicalPlan,
      hosts: [
        { ...databaseHost, findings: [finding] },
        { host: 'web-9', status: 'error', reason: leak, findings: [] },
      ],
    } as const;
    const scenes = await Promise.all([
      runJob({ inputs, event: pullEvent(), answers: { plan: done(plan) } }),
      runJob({
        inputs,
        event: pullEvent(),
        answers: { plan: failed(error('x', leak, { location, hint: leak })) },
      }),
      runJob({
        inputs,
        event: pushEvent,
        answers: {
          deploy: done({ ...outcomes, hosts: outcomes.hosts.map((host) => ({ ...host, reason: leak })) }),
        },
      }),
      runJob({
        inputs,
        event: { name: 'schedule' },
        answers: { drift: done({ ...drift, hosts: drift.hosts.map((host) => ({ ...host, reason: leak })) }) },
      }),
      runJob({
        inputs,
        event: pullEvent(),
        answers: { plan: done(plan) },
        github: { upsertComment: async () => failed(warning('x', leak, { hint: leak })) },
      }),
    ]);
    for (const job of scenes) {
      const all = JSON.stringify(job);
      for (const secret of secretsOf({
        ssh: { key, passphrase: 'open sesame-42' },
        token: 'ghs_0123456789abcdef',
      }).flatMap((text) => text.split('\n')))
        if (!secret.startsWith('-----')) expect(all).not.toContain(secret);
    }
  });
});
