/** Files of packets: the packet JSON, one a line. */
import { error, failure, type Result, type SourceLocation } from '../../lib/problem.js';
import type { Packet } from '../../traffic/model.js';
import { readPacket } from '../../traffic/trace/read-packet.js';

/** One JSON object a line; empty lines are passed over. All problems of all lines at once. */
export function readPackets(lines: string, file: string): Result<readonly Packet[]> {
  const read = lines.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const location: SourceLocation = { kind: 'file', file, line: index + 1, column: 1 };
    try {
      return [readPacket(JSON.parse(line), location)];
    } catch {
      return [failure(error('bad-packet', 'This line is not valid JSON.', { location }))];
    }
  });
  const problems = read.flatMap((one) => one.problems);
  return problems.length > 0
    ? { ok: false, problems }
    : { ok: true, value: read.flatMap((one) => (one.ok ? [one.value] : [])), problems };
}
