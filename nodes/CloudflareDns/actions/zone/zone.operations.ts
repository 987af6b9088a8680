import { purgeCache } from '../../../../lib/cloudflare/cache';
import { scannedRecords, startScan } from '../../../../lib/cloudflare/scan';
import { exportZone, importZone } from '../../../../lib/cloudflare/zone-file';
import { getZoneSetting, setZoneSetting } from '../../../../lib/cloudflare/zone-settings';
import { listZones } from '../../../../lib/cloudflare/zones';
import { canonicalJson } from '../../../../lib/canonical-json';
import type { Json } from '../../../../lib/json';
import { choice, json, list, schema, text, toggle, when } from '../../../declaration';
import { recordOutput, zoneField } from '../../fields';
import { operation } from '../../operation';

const zoneOutput = schema.object({
  id: schema.string(),
  name: schema.string(),
  status: schema.string(),
  paused: schema.boolean(),
  plan: schema.string(),
  accountId: schema.string(),
  nameServers: schema.array(schema.string()),
});

const listOperation = operation({
  resource: 'zone',
  name: 'list',
  action: 'List zones',
  description: 'Lists the zones that the token reaches',
  effect: 'reads',
  input: {},
  output: zoneOutput,
  run: ({ api, task }) => listZones(api, task),
});

const getOperation = operation({
  resource: 'zone',
  name: 'get',
  action: 'Get a zone',
  description: 'Reads a zone: its plan, its status, its name servers',
  effect: 'reads',
  input: { zone: zoneField },
  output: zoneOutput,
  run: ({ input, findZone }) => findZone(input.zone),
});

const exportOperation = operation({
  resource: 'zone',
  name: 'export',
  action: 'Export a zone',
  description: 'Gives the zone as a BIND zone file, as Cloudflare writes it',
  effect: 'reads',
  input: { zone: zoneField },
  output: schema.object({ zone: schema.string(), file: schema.string() }),
  run: async ({ input, api, findZone, task }) => {
    const zone = await findZone(input.zone);
    return { zone: zone.name, file: await exportZone(api, zone.id, task) };
  },
});

const importOperation = operation({
  resource: 'zone',
  name: 'import',
  action: 'Import a zone file',
  description: 'Adds the records of a BIND zone file to those that are there. To replace records, plan and apply them.',
  effect: 'creates',
  needsApproval: true,
  input: {
    zone: zoneField,
    file: text({ label: 'Zone File', required: true, multiline: true, noTrim: true }),
    proxied: toggle({ label: 'Proxied', description: 'Whether visitors of the new names go through Cloudflare' }),
  },
  output: schema.object({
    zone: schema.string(),
    changed: schema.boolean(),
    added: schema.integer(),
    parsed: schema.integer(),
  }),
  run: async ({ input, api, findZone, task }) => {
    const zone = await findZone(input.zone);
    const imported = await importZone(api, zone.id, { file: input.file, proxied: input.proxied }, task);
    return { zone: zone.name, changed: imported.added > 0, ...imported };
  },
});

const scanOperation = operation({
  resource: 'zone',
  name: 'scan',
  action: 'Scan for DNS records',
  description: 'Lets Cloudflare look for records of the zone in public DNS. It adds nothing; see Get Scan Results.',
  effect: 'changes',
  input: { zone: zoneField },
  output: schema.object({ zone: schema.string(), started: schema.boolean() }),
  run: async ({ input, api, findZone, task }) => {
    const zone = await findZone(input.zone);
    await startScan(api, zone.id, task);
    return { zone: zone.name, started: true };
  },
});

const scanResultsOperation = operation({
  resource: 'zone',
  name: 'scanResults',
  label: 'Get Scan Results',
  action: 'Get the results of a scan',
  description: 'Lists what the last scan has found, and nobody has added or rejected',
  effect: 'reads',
  input: { zone: zoneField },
  output: recordOutput,
  run: async ({ input, api, findZone, task }) => scannedRecords(api, (await findZone(input.zone)).id, task),
});

const settingField = text({ label: 'Setting', required: true, placeholder: 'ssl', description: 'As the API calls it' });

const getSettingOperation = operation({
  resource: 'zone',
  name: 'getSetting',
  action: 'Get a setting of a zone',
  description: 'Reads one setting of a zone',
  effect: 'reads',
  input: { zone: zoneField, setting: settingField },
  output: schema.object({
    zone: schema.string(),
    id: schema.string(),
    value: schema.anything(),
    editable: schema.boolean(),
  }),
  run: async ({ input, api, findZone, task }) => {
    const zone = await findZone(input.zone);
    return { zone: zone.name, ...(await getZoneSetting(api, zone.id, input.setting, task)) };
  },
});

const setSettingOperation = operation({
  resource: 'zone',
  name: 'setSetting',
  action: 'Set a setting of a zone',
  description: 'Sets one setting of a zone; nothing is sent when it has the value already',
  effect: 'changes',
  dryRun: true,
  input: {
    zone: zoneField,
    setting: settingField,
    value: json({
      label: 'Value',
      required: true,
      default: '"full"',
      // Everything that n8n hands over here is JSON.
      parse: (value) => value as Json,
      description: 'As JSON: "full", 7200, true',
    }),
  },
  output: schema.object({
    zone: schema.string(),
    setting: schema.string(),
    changed: schema.boolean(),
    dryRun: schema.boolean(),
    before: schema.anything(),
    after: schema.anything(),
  }),
  run: async ({ input: { dryRun, setting, value, zone: named }, api, findZone, task }) => {
    const zone = await findZone(named);
    const { value: before } = await getZoneSetting(api, zone.id, setting, task);
    const changed = canonicalJson(before) !== canonicalJson(value);
    if (changed && !dryRun) await setZoneSetting(api, zone.id, { id: setting, value }, task);
    return { zone: zone.name, setting, changed, dryRun, before, after: value };
  },
});

const purgeOperation = operation({
  resource: 'zone',
  name: 'purgeCache',
  action: 'Purge the cache of a zone',
  description: 'Lets Cloudflare fetch anew: everything, or what is listed',
  effect: 'changes',
  input: {
    zone: zoneField,
    what: choice({
      label: 'What',
      options: { files: 'Files', hosts: 'Hosts', prefixes: 'Prefixes', tags: 'Tags', everything: 'Everything' },
      default: 'files',
    }),
    values: when(
      'what',
      ['files', 'hosts', 'prefixes', 'tags'],
      list({ label: 'Values', required: true, placeholder: 'https://www.example.org/style.css' }),
    ),
  },
  output: schema.object({ zone: schema.string(), changed: schema.boolean() }),
  run: async ({ input: { what, values = [], zone: named }, api, findZone, task }) => {
    const zone = await findZone(named);
    await purgeCache(api, zone.id, what === 'everything' ? { what } : { what, values }, task);
    return { zone: zone.name, changed: true };
  },
});

export const zoneOperations = [
  listOperation,
  getOperation,
  exportOperation,
  importOperation,
  scanOperation,
  scanResultsOperation,
  getSettingOperation,
  setSettingOperation,
  purgeOperation,
];
