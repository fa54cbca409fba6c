/** What is happening now: one line that rewrites itself on a terminal, one line a host in a log. */
import { visible } from '../../lib/visible.js';

/** A `tty.WriteStream` or any other stream; standard error, so that a pipe gets the report alone. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface Progress {
  /** The host is being worked on; `words` says how far. A terminal alone shows it. */
  at(host: string, words: string): void;
  /** The host is done with; `words` says how it ended. */
  done(host: string, words: string): void;
  /** Takes the line away. */
  end(): void;
}

const CLEAR = '\r\u001b[K';

/**
 * Progress over `total` hosts.
 * @param title What is being done: `reading`, `deploying`.
 */
export const progressLine = (stream: ProgressStream, title: string, total: number): Progress =>
  stream.isTTY === true ? rewriting(stream, title, total) : logging(stream, total);

function rewriting(stream: ProgressStream, title: string, total: number): Progress {
  const busy = new Map<string, string>();
  let finished = 0;
  const draw = (): void => {
    const names = [...busy].map(([host, words]) => `${visible(host)} ${visible(words)}`).join(', ');
    const line = `${title} ${finished}/${total}${names === '' ? '' : `: ${names}`}`;
    stream.write(CLEAR + line.slice(0, Math.max(1, (stream.columns || 80) - 1)));
  };
  return {
    at(host, words) {
      busy.set(host, words);
      draw();
    },
    done(host) {
      busy.delete(host);
      finished += 1;
      draw();
    },
    end() {
      stream.write(CLEAR);
    },
  };
}

function logging(stream: ProgressStream, total: number): Progress {
  let finished = 0;
  return {
    at() {},
    done(host, words) {
      finished += 1;
      stream.write(`[${finished}/${total}] ${visible(host)}: ${visible(words)}\n`);
    },
    end() {},
  };
}
