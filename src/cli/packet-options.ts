/** One packet as options of a command line, with what a person leaves out. */
import { isIPv6 } from 'node:net';
import { type Command, InvalidArgumentError } from 'commander';

export interface PacketOptions {
  readonly hook: string;
  readonly in?: string;
  /** `--out`: the interface by which it leaves. */
  readonly out?: string;
  readonly src?: string;
  readonly dst?: string;
  readonly protocol: string;
  readonly sport?: number;
  readonly dport?: number;
  readonly flags?: string;
  readonly state?: string;
  readonly type?: number;
  readonly code?: number;
}

/** Adds the options that describe one packet. */
export const definePacket = (command: Command): Command =>
  command
    .option('--hook <hook>', 'INPUT, OUTPUT or FORWARD', 'INPUT')
    .option('--src <address>', 'source address')
    .option('--dst <address>', "destination address (default for INPUT: the host's own)")
    .option('--protocol <name>', 'tcp, udp, icmp, ipv6-icmp or another', 'tcp')
    .option('--sport <port>', 'source port', whole)
    .option('--dport <port>', 'destination port', whole)
    .option('--in <interface>', 'incoming interface')
    .option('--out <interface>', 'outgoing interface')
    .option('--flags <list>', 'TCP flags (default: SYN)')
    .option('--state <state>', 'NEW, ESTABLISHED, RELATED, INVALID or UNTRACKED (default: NEW)')
    .option('--type <n>', 'ICMP type', whole)
    .option('--code <n>', 'ICMP code', whole);

function whole(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a whole number.');
}

const FIELDS = [
  'hook',
  'in',
  'out',
  'src',
  'dst',
  'protocol',
  'sport',
  'dport',
  'flags',
  'state',
  'type',
  'code',
] as const;

/** @param own The addresses of the host: its end of the packet, in the family of the other end. */
export function packetOf(options: PacketOptions, own: readonly string[]): Readonly<Record<string, unknown>> {
  const mine = (other: string | undefined): string | undefined =>
    other === undefined ? own[0] : own.find((address) => isIPv6(address) === isIPv6(other));
  const hook = options.hook.toUpperCase();
  const src = options.src ?? (hook === 'OUTPUT' ? mine(options.dst) : undefined);
  const dst = options.dst ?? (hook === 'INPUT' ? mine(options.src) : undefined);
  const given = { ...options, src, dst, hook };
  return Object.fromEntries(
    FIELDS.flatMap((field) => (given[field] === undefined ? [] : [[field, given[field]] as const])),
  );
}
