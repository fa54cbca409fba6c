/** JSON Schemas of the policy files, for editors; made from the schemas that check them. */
import * as z from 'zod';
import { fleetFile, host, hostsFile, networksFile, roleFile, servicesFile } from './schema.js';

const FILES: Readonly<Record<string, { readonly schema: z.ZodType; readonly title: string }>> = {
  'fleet.schema.json': { schema: fleetFile, title: 'fleet.yml: settings of the whole fleet' },
  'networks.schema.json': { schema: networksFile, title: 'networks.yml: names of addresses' },
  'services.schema.json': { schema: servicesFile, title: 'services.yml: names of ports and protocols' },
  'role.schema.json': { schema: roleFile, title: 'roles/*.yml: what hosts of a role have in common' },
  'hosts.schema.json': {
    schema: z.union([host, hostsFile]),
    title: 'hosts/*.yml: one host, or several under hosts',
  },
};

/** File name in `schema/` → schema, draft 2020-12. */
export const jsonSchemas = (): Readonly<Record<string, object>> =>
  Object.fromEntries(
    Object.entries(FILES).map(([name, { schema, title }]) => [
      name,
      { title, ...z.toJSONSchema(schema, { io: 'input' }) },
    ]),
  );

/** The bytes of a schema file. */
export const schemaText = (schema: object): string => `${JSON.stringify(schema, null, 2)}\n`;
