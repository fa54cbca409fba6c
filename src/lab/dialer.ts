/**
 * Connections out of the lab for code that runs outside of it: a helper inside connects and hands over the socket
 * itself, which stays in the network namespace it was made in. Nothing is relayed: what the host sees is the real peer.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { nsenterArguments } from './boot.js';

export interface DialOptions {
  /** The address to come from; default: the lab's own. */
  readonly from?: string;
}

export type Dialer = (address: string, port: number, options?: DialOptions) => Promise<Socket>;

/** Paused before it connects: what arrives first must wait for the new owner. */
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

/** Starts the helper; it ends with this process, or when `hangUp` is called. */
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
        else reject(Object.assign(new Error(error?.message ?? 'No socket came.'), { code: error?.code }));
      });
      helper.channel?.ref();
      helper.send({ id, host, port, localAddress: options.from }, (failure) => {
        if (failure) waiting.get(id)?.({ id, error: { message: 'The lab is closed.' } });
      });
    });
  return { dial, close: () => helper.kill('SIGKILL') };
}

/** An idle helper keeps no program from ending. */
function leaveLoop(helper: ChildProcess): void {
  helper.unref();
  helper.channel?.unref();
}
