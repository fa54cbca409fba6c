import type { Command } from 'commander';

/** Gives a command what it does; what that returns is the exit status of the program. */
export type Act = (command: Command, action: (...args: never[]) => Promise<number>) => Command;
