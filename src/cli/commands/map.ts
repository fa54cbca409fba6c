/** `map`: who may talk to whom. */
import type { Command } from 'commander';
import { findingOf } from '../../rollout/results/finding.js';
import { complain, DONE, emit, FAILED, type Io, reportProblems, textOptions } from '../io.js';
import { type Act, examples, type OutputOptions, withOutput, withPolicy } from '../options.js';

interface MapArguments extends OutputOptions {
  readonly policies: string;
  readonly before?: string;
}

/** Defines `map`. */
export function defineMap(program: Command, act: Act, io: Io): void {
  const map = withOutput(
    withPolicy(
      program
        .command('map')
        .summary('who may talk to whom, by role and service (needs no host)')
        .description(
          'Draws the fleet from the rules of all its hosts together: which roles, networks and others may open connections to which roles, and for which services. Flows that one host lets through and the other refuses are reported. Markdown output has a Mermaid graph.',
        ),
    ).option('--before <dir>', 'the folder of an earlier policy, to mark changes'),
  );
  examples(map, 'sallyport map', 'sallyport map --before ../main/policies --format markdown');
  act(map, (options: MapArguments) => runMap(options, io));
}

async function runMap({ format, output, ...options }: MapArguments, io: Io): Promise<number> {
  const { map } = await import('../../commands/map.js');
  const mapped = reportProblems(io, await map(options));
  if (mapped === undefined) return FAILED;
  const { map: value, notes } = mapped.value;
  if (format === 'markdown') {
    const { mapMarkdown } = await import('../../report/markdown/map.js');
    await emit(io, mapMarkdown(value, notes.map(findingOf)), output);
  } else if (format === 'json') {
    const { jsonText } = await import('../../report/view/json.js');
    await emit(io, jsonText({ ...value, notes: notes.map(findingOf) }), output);
  } else {
    const { mapText } = await import('../../report/terminal/map.js');
    const paint = output === undefined ? textOptions(io.stdout, io.env) : { colour: false };
    await emit(io, mapText(value, paint), output);
    complain(io, notes);
  }
  return DONE;
}
