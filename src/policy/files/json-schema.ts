/** JSON Schemas of the policy files for editors, generated from the schemas that validate them. */
import * as z from 'zod';
import { fleetFile, host, hostsFile, networksFile, roleFile, servicesFile } from './schema.js';

const FILES: Readonly<Record<string, { readonly schema: z.ZodType; readonly title: string }>> = {
  'fleet.schema.json': { schema: fleetFile, title: 'fleet.yml: settings of the fleet' },
  'networks.schema.json': { schema: networksFile, title: 'networks.yml: named networks' },
  'services.schema.json': { schema: servicesFile, title: 'services.yml: named ports and protocols' },
  'role.schema.json': { schema: roleFile, title: 'roles/*.yml: settings shared by the hosts of a role' },
  'hosts.schema.json': {
    schema: z.union([host, hostsFile]),
    title: 'hosts/*.yml: one host, or several under "hosts"',
  },
};

/** JSON Schemas (draft 2020-12) by file name in `schema/`. */
export const jsonSchemas = (): Readonly<Record<string, object>> =>
  Object.fromEntries(
    Object.entries(FILES).map(([name, { schema, title }]) => [
      name,
      { title, ...z.toJSONSchema(schema, { io: 'input' }) },
    ]),
  );

/** Content of a schema file. */
export const schemaText = (schema: object): string => `${JSON.stringify(schema, null, 2)}\n`;
