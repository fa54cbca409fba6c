/** Sends single requests to the agent, over OpenSSH, at the time that a test chooses. */
import { script } from '../../../src/host/agent/agent.js';
import { beginVariables } from '../../../src/host/agent/variables.js';
import type { Change } from '../../../src/host/client.js';
import type { Lab, Host as LabHost } from '../../../src/lab/lab.js';
import { policyHost } from '../hosts.js';

export interface TestRequest {
  readonly change: Change;
  readonly token: string;
  readonly seconds?: number;
  readonly reason?: string;
}

/** Sends a request; returns the last line of the answer before `done`, without the mark. */
export async function sendRequest(
  lab: Lab,
  host: LabHost,
  verb: 'begin' | 'probe' | 'confirm' | 'abort',
  { change, token, seconds = 20, reason = '' }: TestRequest,
): Promise<string> {
  const variables =
    verb === 'begin'
      ? beginVariables(policyHost(host), { ...change, confirmWithinSeconds: seconds }, token)
      : { RUN: change.run, TOKEN: token, REASON: reason };
  const ran = await lab.run('ssh', sshArguments(lab, host), { input: script('MARK', { verb, variables }) });
  const lines = ran.stdout.split('\n').filter((line) => line.startsWith('MARK '));
  if (lines.at(-1) !== 'MARK done') throw new Error(`${verb}: ${ran.stdout}${ran.stderr}`);
  return (lines.at(-2) ?? '').slice('MARK '.length).trim();
}

/** Arguments for `ssh` to run the script on standard input as root. */
export const sshArguments = (lab: Lab, host: LabHost): readonly string[] => [
  ...['-F', 'none', '-i', lab.identity, '-o', `UserKnownHostsFile=${lab.knownHosts}`, '-o', 'BatchMode=yes'],
  ...[`${host.user.name}@${host.addresses.v4}`, 'sudo -n sh -s -- "$SSH_CONNECTION"'],
];
