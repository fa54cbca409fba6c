/** Raw iptables-save text without counters, comments and empty lines. */

/**
 * Takes out comment lines, empty lines and counters, so that two saves of the same rules are the same text. Nothing
 * else is touched. On a host, without this program, the same is
 * `sed -e '/^#/d' -e '/^$/d' -e 's/^\(:.*\) \[[0-9]*:[0-9]*\]$/\1 [0:0]/' -e 's/^\[[0-9]*:[0-9]*\] //'`.
 */
export function stripVolatile(saveText: string): string {
  const lines = saveText.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => `${stripCounters(line)}\n`).join('');
}

const stripCounters = (line: string): string =>
  line.startsWith(':')
    ? line.replace(/^(:.*) \[[0-9]*:[0-9]*\]$/, '$1 [0:0]')
    : line.replace(/^\[[0-9]*:[0-9]*\] /, '');
