/** Progress over hosts: one line that is rewritten on a terminal, one line a host in a log. */
import { visible } from '../../lib/visible.js';

/** A `tty.WriteStream` or any other stream; standard error, so that a pipe gets the report alone. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface Progress {
  /** The host is being worked on; `state` says how far. Only shown on a terminal. */
  at(host: string, state: string): void;
  /** The host is done with; `state` says how it ended. */
  done(host: string, state: string): void;
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
    const names = [...busy].map(([host, state]) => `${visible(host)} ${visible(state)}`).join(', ');
    const line = `${title} ${finished}/${total}${names === '' ? '' : `: ${names}`}`;
    stream.write(CLEAR + line.slice(0, Math.max(1, (stream.columns || 80) - 1)));
  };
  return {
    at(host, state) {
      busy.set(host, state);
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
    done(host, state) {
      finished += 1;
      stream.write(`[${finished}/${total}] ${visible(host)}: ${visible(state)}\n`);
    },
    end() {},
  };
}
