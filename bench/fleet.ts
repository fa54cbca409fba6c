/** A policy of a given size, as files. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dice } from './random.js';

/** Hosts of four roles, with so many rules each, the baseline not counted. Half of the rules are a host's own. */
export function writeFleet(folder: string, hosts: number, rulesEach: number): void {
  const random = dice(3);
  const write = (path: string, lines: readonly string[]): void =>
    writeFileSync(join(folder, path), `${lines.join('\n')}\n`);
  for (const part of ['roles', 'hosts']) mkdirSync(join(folder, part), { recursive: true });
  write('fleet.yml', ['version: 1', 'ssh: {user: deploy}', 'admin: [admin]']);
  write('networks.yml', [
    'networks:',
    '  admin: [203.0.113.0/24, "2001:db8:a::/48"]',
    ...range(20).map(
      (index) => `  site-${index}: [10.${index}.0.0/16, "2001:db8:${(index + 16).toString(16)}::/48"]`,
    ),
  ]);
  for (const role of range(4))
    write(`roles/role-${role}.yml`, [
      'input:',
      ...range(Math.floor(rulesEach / 4)).flatMap((index) => [
        `  - allow: tcp/${3000 + role * 100 + index}`,
        `    from: site-${random.number(20)}`,
        `    reason: Service ${index} of role ${role}`,
      ]),
    ]);
  for (const index of range(hosts))
    write(`hosts/host-${String(index).padStart(4, '0')}.yml`, [
      `address: 198.18.${index >> 8}.${index & 255}`,
      `addresses: [198.18.${index >> 8}.${index & 255}, "2001:db8:ffff::${(index + 1).toString(16)}"]`,
      `roles: [role-${index % 4}]`,
      'input:',
      ...range(Math.floor(rulesEach / 4)).flatMap((rule) => [
        `  - allow: tcp/${5000 + rule}`,
        `    from: site-${random.number(20)}`,
        `    reason: Own service ${rule}`,
      ]),
    ]);
}

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);
