/**
 * Opens connections from inside the lab for code outside of it: a helper process in the lab connects and passes the
 * socket, which stays in its network namespace. Nothing is relayed, so the host sees the real peer.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { nsenterArguments } from './boot.js';

export interface DialOptions {
  /** The source address; default: the lab's client. */
  readonly from?: string;
}

export type Dialer = (address: string, port: number, options?: DialOptions) => Promise<Socket>;

/** The socket is paused before it connects, so that no data arrives before the new owner listens. */
const HELPER = `
const net = require('node:net');
process.on('message', ({ id, host, port, localAddress }) => {
  const socket = net.connect({ host, port, localAddress });
  socket.pause();
  socket.once('connect', () => process.send({ id }, socket));
  socket.once('error', ({ code, message }) => process.send({ id, error: { code, message } }));
});
process.on('disconnect', () => process.exit());
`;

interface Answer {
  readonly id: number;
  readonly error?: { readonly code?: string; readonly message: string };
}

/** Starts the helper; it exits with this process, or when `close` is called. */
export function openDialer(labPid: number): { readonly dial: Dialer; readonly close: () => void } {
  const helper = spawn('nsenter', [...nsenterArguments(labPid, 'n'), process.execPath, '-e', HELPER], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, (answer: Answer, socket?: Socket) => void>();
  let last = 0;
  helper.on('message', (message, socket) => {
    const answer = message as Answer;
    waiting.get(answer.id)?.(answer, socket as Socket | undefined);
  });
  helper.once('exit', () => {
    for (const [id, settle] of waiting) settle({ id, error: { message: 'The lab is closed.' } });
  });
  leaveLoop(helper);

  const dial: Dialer = (host, port, options = {}) =>
    new Promise((resolve, reject) => {
      const id = ++last;
      waiting.set(id, ({ error }, socket) => {
        waiting.delete(id);
        if (waiting.size === 0) leaveLoop(helper);
        if (error === undefined && socket !== undefined) resolve(socket);
        else reject(Object.assign(new Error(error?.message ?? 'no socket received'), { code: error?.code }));
      });
      helper.channel?.ref();
      helper.send({ id, host, port, localAddress: options.from }, (failure) => {
        if (failure) waiting.get(id)?.({ id, error: { message: 'The lab is closed.' } });
      });
    });
  return { dial, close: () => helper.kill('SIGKILL') };
}

/** An idle helper must not keep the program running. */
function leaveLoop(helper: ChildProcess): void {
  helper.unref();
  helper.channel?.unref();
}
