import { hostOf } from '../../../lab/hosts/as-host';
import { quietTask } from '../../shared/task';
import type { IDataObject, IExecuteFunctions, INodeExecutionData, INodeProperties } from 'n8n-workflow';
import { labCredential } from '../../../lab/estate';
import { startSystemdHost, type SystemdHost } from '../../../lab/hosts/systemd-host';
import { runCommand } from '../../../lib/host/run';
import { closeSessions } from '../../../lib/host/sessions';
import { schema } from '../../../nodes/declaration';
import { Host } from '../../../nodes/Host/Host.node';
import { fakeExecute } from '../../unit/nodes/declaration/fakeExecute';

type Parameters = Record<string, unknown>;

const inventory = {
  estate: 'lab',
  timezone: 'Europe/Berlin',
  hosts: [{ name: 'machine', address: 'ADDRESS', provider: 'other' }],
  recipients: { critical: [{ by: 'slack', channel: 'infra' }] },
};

/** In place of Terraform: this much of its answer is looked at. */
const TERRAFORM = `#!/bin/sh
[ "$1 $2 $4" = 'show -json /root/saved.plan' ] || exit 2
echo '{"format_version":"1.2","terraform_version":"1.9.8","resource_changes":[{"address":"hcloud_server.bruno","mode":"managed",
  "change":{"actions":["delete","create"],"before":{"image":"a"},"after":{"image":"b"},"after_unknown":{}}}],"output_changes":{}}'
`;

/** Good values for every operation; one that is missing here fails the test below. */
const good: Record<string, Parameters> = {
  'command run': { program: 'echo', arguments: ['hi'] },
  'command runScript': { script: 'echo "$1"', arguments: ['hi'] },
  'facts get': {},
  'file write': { path: '/root/file', content: 'one\n' },
  'file appendLine': { path: '/root/file', line: 'two' },
  'file stat': { path: '/root/file' },
  'file list': { path: '/root', options: { depth: 2 } },
  'file read': { path: '/root/file' },
  'file ensure': { path: '/root/file', kind: 'file', options: { mode: '0600' } },
  'file upload': { path: '/root/uploaded', binaryField: 'data' },
  'file download': { path: '/root/file' },
  'file delete': { path: '/root/file' },
  'hold get': {},
  'hold set': { who: 'felipe', why: 'a disk', hours: 1 },
  'hold lift': {},
  'hostKey scan': { address: 'machine' },
  'inventory audit': { inventory },
  'inventory check': { inventory },
  'job start': { jobName: 'nightly', intent: 'today', script: 'echo done', arguments: [] },
  'job attach': { jobId: 'JOB' },
  'job status': { jobId: 'JOB' },
  'job logs': { jobId: 'JOB', stream: 'stdout' },
  'job cancel': { jobId: 'JOB' },
  'job list': {},
  'job clean': { olderThanDays: 0, keepNewest: 0 },
  'service status': { service: 'dbus' },
  'service start': { service: 'dbus' },
  'service stop': { service: 'systemd-timesyncd-not-there' },
  'service restart': { service: 'dbus', dryRun: true },
  'service reload': { service: 'dbus' },
  'service enable': { service: 'ssh', now: false },
  'service disable': { service: 'ssh', now: false, dryRun: true },
  'service list': { state: 'running' },
  'service listTimers': {},
  'terraform summary': { directory: '/root', planFile: '/root/saved.plan', options: { program: '/root/terraform' } },
};

const canary = '/tmp/pwned-by-a-name';
const hostile = [
  `$(touch ${canary})`,
  `\`touch ${canary}\``,
  `'; touch ${canary}; '`,
  `"; touch ${canary}; "`,
  `x\ntouch ${canary}\n`,
  `--help`,
  `-rf`,
  `../../../tmp/ünïcödé 🚀`,
  `*`,
  ` | touch ${canary} #`,
];

describe('every operation of the Host node', () => {
  let machine: SystemdHost;
  let jobId = '';
  beforeAll(async () => {
    machine = await startSystemdHost({ name: 'machine' });
    const put = 'printf %s "$1" > /root/terraform; chmod 700 /root/terraform; echo saved > /root/saved.plan';
    await runCommand(hostOf(machine), { script: put, arguments: [TERRAFORM] }, {}, quietTask());
  }, 300_000);
  afterAll(async () => {
    await closeSessions();
    await machine.stop();
  });

  const operations = Host.declaration.resources.flatMap(({ operations: all }) => all);
  const keyOf = ({ resource, name }: { resource: string; name: string }) => `${resource} ${name}`;

  async function run(key: string, items: Parameters[]): Promise<INodeExecutionData[]> {
    const [resource, operation] = key.split(' ');
    const data = { data: Buffer.from('uploaded').toString('base64'), mimeType: 'text/plain', fileName: 'x' };
    const { execute } = fakeExecute({
      parameters: items.map((parameters) => ({ resource, operation, ...parameters })),
      items: items.map(() => ({ json: {}, binary: { data } })),
      continueOnFail: true,
    });
    const whole = Object.assign(execute as object, {
      getCredentials: () => Promise.resolve(labCredential([machine])),
      getWorkflow: () => ({ id: 'workflow' }),
      helpers: {
        prepareBinaryData: async (content: AsyncIterable<Buffer>) => {
          const chunks: Buffer[] = [];
          for await (const chunk of content) chunks.push(chunk);
          return { data: Buffer.concat(chunks).toString('base64'), mimeType: 'text/plain' };
        },
        getBinaryDataBuffer: () => Promise.resolve(Buffer.from('uploaded')),
      },
    }) as unknown as IExecuteFunctions;
    const output = await new Host().execute.call(whole);
    if (!Array.isArray(output)) throw new Error('No items');
    return output.flat();
  }

  it('has good values here', () => {
    expect(operations.map(keyOf).sort()).toEqual(Object.keys(good).sort());
  });

  it.each(Object.keys(good))('%s gives what its schema says, or a Failure that was foreseen', async (key) => {
    const declared = operations.find((operation) => keyOf(operation) === key);
    if (declared === undefined) throw new Error(`${key} is not there`);
    const parameters = JSON.parse(
      JSON.stringify(good[key] ?? {})
        .replace('"JOB"', `"${jobId}"`)
        .replace('ADDRESS', machine.address),
    ) as Parameters;
    const items = await run(key, [parameters]);
    expect(items.length).toBeGreaterThan(0);
    for (const { json } of items) {
      const failed = json.details as IDataObject | undefined;
      if (failed === undefined) schema.assertMatches(declared.output, json);
      else expect([key, failed.code]).toEqual([key, expect.stringMatching(/^unit_(unknown|change_refused)$/)]);
    }
    if (key === 'job start') jobId = items[0]?.json.id as string;
  });

  it.each(Object.keys(good))(
    '%s takes hostile text in every field for text',
    async (key) => {
      const declared = operations.find((operation) => keyOf(operation) === key);
      const fields = Object.entries(declared?.input ?? {}).filter(([name]) => name !== 'host' && name !== 'script');
      const base = Object.fromEntries(
        Object.entries(good[key] ?? {}).map(([name, value]) => [name, value === 'JOB' ? 'job-0' : value]),
      );
      const items = fields.flatMap(([name, field]) =>
        hostile.flatMap((text): Parameters[] => {
          if (name === 'options') {
            const options = (field.form.options ?? []) as INodeProperties[];
            return options
              .filter(({ type }) => type === 'string')
              .map((option) => ({ ...base, options: { [option.name]: text } }));
          }
          if (field.kind.startsWith('list')) return [{ ...base, [name]: [text, text] }];
          return field.form.type === 'string' ? [{ ...base, [name]: text }] : [];
        }),
      );
      items.push(...hostile.map((text) => ({ ...base, host: text })));
      // A unit that is there stays as it is.
      const dry = key.startsWith('service') && declared?.dryRun === true;
      const results = await run(key, dry ? items.map((item) => ({ ...item, dryRun: true })) : items);
      const codes = results.map(({ json }) => (json.details as IDataObject | undefined)?.code);
      expect(codes).not.toContain('unexpected_error');
      const { stdout } = await runCommand(
        hostOf(machine),
        { script: 'ls -d "$1"* 2>/dev/null || echo clean', arguments: [canary] },
        {},
        quietTask(),
      );
      expect(stdout).toBe('clean\n');
    },
    120_000,
  );
});
