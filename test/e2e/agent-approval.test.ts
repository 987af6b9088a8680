import { type PostgresServer, startPostgres } from '../../lab/postgres';
import { type CloudflareStandIn, startCloudflare, type Zone } from '../../lab/standins/cloudflare';
import { type ModelStandIn, startModel } from '../../lab/standins/model';
import type { WorkflowDraft } from '../../lab/n8n/api';
import type { JsonObject } from '../../lib/json';
import { manualWorkflow, nodeUnderTest, sharedN8n } from './harness';

const { api, readLog } = sharedN8n();
const NEW = '46.224.125.1';

function tokenOf([approved]: readonly JsonObject[]): string {
  const token = approved?.['token'];
  if (typeof token === 'string') return token;
  throw new Error('There is no token in what Approve put out');
}

type Credential = { readonly id: string; readonly name: string };

describe('an AI agent in n8n that has the Cloudflare DNS node as a tool', () => {
  let server: PostgresServer;
  let cloudflare: CloudflareStandIn;
  let model: ModelStandIn;
  let zone: Zone;
  let credentials: Readonly<Record<string, Credential>>;

  beforeAll(async () => {
    [server, cloudflare, model] = await Promise.all([startPostgres(), startCloudflare(), startModel()]);
    const { host, port, user, password, database } = server;
    const make = (name: string, type: string, data: JsonObject) => api.createCredential(name, type, data);
    credentials = {
      selfhostCloudflare: await make('agent cloudflare', 'selfhostCloudflare', {
        apiToken: cloudflare.addToken(),
        baseUrl: cloudflare.url,
      }),
      selfhostState: await make('state', 'selfhostState', { host, port, user, password, database }),
      selfhostPlanKey: await make('plan key', 'selfhostPlanKey', { secretKey: 'planted-plan-key-'.repeat(3) }),
      openAiApi: await make('model', 'openAiApi', { apiKey: 'none', url: model.url }),
    };
  });
  beforeEach(() => {
    zone = cloudflare.addZone(`agent-${cloudflare.zones.size}.cl`);
    cloudflare.forget();
    model.forget();
  });
  afterAll(async () => {
    await cloudflare.close();
    await model.close();
    await server.stop();
  });

  /** By hand → agent, with the model and the tool below it. */
  function agentWorkflow(agentVersion: number): WorkflowDraft {
    const at = (name: string, type: string, typeVersion: number, parameters: JsonObject, more: object = {}) =>
      nodeUnderTest({ name, type, typeVersion, parameters, ...more });
    const { openAiApi, ...ours } = credentials;
    return {
      name: 'Agent',
      nodes: [
        at('By hand', 'n8n-nodes-base.manualTrigger', 1, {}),
        at('Agent', '@n8n/n8n-nodes-langchain.agent', agentVersion, {
          promptType: 'define',
          text: 'Point status at the new server',
          options: {},
        }),
        at(
          'Model',
          '@n8n/n8n-nodes-langchain.lmChatOpenAi',
          1.2,
          { model: { mode: 'id', value: 'stand-in' }, options: {} },
          { credentials: { openAiApi } },
        ),
        at(
          'Sync DNS',
          'n8n-nodes-selfhost.cloudflareDnsTool',
          1,
          {
            resource: 'zone',
            operation: 'sync',
            zone: { __rl: true, mode: 'id', value: zone.name },
            records: JSON.stringify([{ name: 'status', type: 'A', content: NEW }]),
            owner: 'n8n',
            approvalToken: "={{ $fromAI('approvalToken', 'The token that a person gave', 'string', '') }}",
          },
          { credentials: ours },
        ),
      ],
      connections: {
        'By hand': { main: [[{ node: 'Agent', type: 'main', index: 0 }]] },
        Model: { ai_languageModel: [[{ node: 'Agent', type: 'ai_languageModel', index: 0 }]] },
        'Sync DNS': { ai_tool: [[{ node: 'Agent', type: 'ai_tool', index: 0 }]] },
      },
    };
  }

  const ask = async (agentVersion: number, approvalToken: string) => {
    model.say = { approvalToken };
    const before = model.answers.length;
    const { runs } = await api.runToEnd(await api.createWorkflow(agentWorkflow(agentVersion)), 'By hand');
    // Older agents tell the model nothing of what a tool has refused; it stands with the run of the tool.
    return [...model.answers.slice(before), runs['Sync DNS']?.[0]?.error?.message ?? ''].join(' ');
  };
  const approval = async (operation: string, parameters: JsonObject) => {
    const { selfhostState, selfhostPlanKey } = credentials;
    const node = {
      type: 'n8n-nodes-selfhost.approval',
      parameters: { resource: 'request', operation, ...parameters },
      credentials: { selfhostState: selfhostState!, selfhostPlanKey: selfhostPlanKey! },
    };
    const { runs, error } = await api.runToEnd(await api.createWorkflow(manualWorkflow('Approve', node)), 'By hand');
    expect(error).toBeUndefined();
    return runs.Node?.[0]?.outputs[0] ?? [];
  };

  it.each([2.2, 3.1])(
    'is refused, approved by a person, and then does exactly that, once (agent %s)',
    async (version) => {
      expect(await ask(version, '')).toContain('without an approval token');
      expect(cloudflare.writes()).toEqual([]);

      const requests = await approval('list', { verdict: 'open' });
      const request = requests.find(({ input }) => (input as JsonObject)['zone'] === zone.name);
      expect(request).toMatchObject({
        node: 'cloudflareDns',
        operation: 'zone.sync',
        preview: [{ zone: zone.name, create: 1, delete: 0, dryRun: true }],
      });
      const token = tokenOf(await approval('approve', { requestId: request?.['id'] ?? '', approver: 'daniel' }));

      await ask(version, 'invented');
      expect(cloudflare.writes()).toEqual([]);
      await ask(version, token);
      expect(cloudflare.writes()).toHaveLength(1);
      expect([...zone.records.values()].map(({ name, content }) => [name, content])).toEqual([
        [`status.${zone.name}`, NEW],
      ]);
      await ask(version, token);
      expect(cloudflare.writes()).toHaveLength(1);
      expect(readLog()).not.toContain('planted-plan-key');
    },
  );
});
