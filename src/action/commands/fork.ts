/**
 * A plan for a pull request from a fork, by a run that follows the fork's own (`workflow_run`). It has a token that may
 * write, and works on files that a stranger's run left: nothing of them is run, and nothing that they say of themselves
 * is believed. Which pull request it is about is asked of GitHub.
 */
import { error, type Problem } from '../../lib/problem.js';
import type { Context } from '../context.js';
import { unsafeTree } from '../event/unsafe-tree.js';
import { reportProblems, stop } from './publish.js';

/** The context with the pull request; as it was for other events; `undefined` when there is nothing to do or say. */
export async function ofFork(context: Context): Promise<Context | undefined> {
  const { event, inputs, runner, github } = context;
  const { origin } = event;
  if (event.name !== 'workflow_run' || origin?.event.startsWith('pull_request') !== true) return context;
  if (origin.repository === event.repository || origin.repository === '') {
    runner.log('Nothing to do: the run was not for a pull request from a fork.');
    return undefined;
  }
  const problems = [...unsafe(context), ...(await unsafeTree(inputs.policies))];
  if (problems.length > 0) {
    await stop(context, 'The files of the pull request were not read', problems);
    return undefined;
  }
  const asked = await github.openPull(origin.repository, origin.branch, origin.commit);
  if (!asked.ok) {
    await reportProblems(context, asked);
    runner.fail('GitHub does not name the pull request of this run, so there is no plan.');
    return undefined;
  }
  const pull = asked.value;
  if (pull === undefined) {
    runner.log(
      `Nothing to do: no open pull request of ${origin.repository} is at ${origin.commit.slice(0, 12)}.`,
    );
    return undefined;
  }
  return {
    ...context,
    event: { ...event, pull: { number: pull, headCommit: origin.commit, fork: true, closed: false } },
  };
}

/** A policy names the hosts to log in to: one that nobody has reviewed is never given a key. */
const unsafe = ({ inputs }: Context): readonly Problem[] => [
  ...(inputs.ssh.key === undefined
    ? []
    : [
        error(
          'fork-with-key',
          'A plan for a pull request from a fork must not have an `ssh-key`: its policy says where to log in.',
          { hint: 'Remove `ssh-key`, and give recorded states as `state`.' },
        ),
      ]),
  ...(inputs.state === undefined
    ? [
        error(
          'fork-without-state',
          'A plan for a pull request from a fork needs recorded states, and `state` is not set.',
          { hint: 'See "Pull requests from forks" in docs/github.md.' },
        ),
      ]
    : []),
];
