import { type Reply, type Route } from '../http';
import { isObject } from '../../../lib/json';
import { paged } from './paged';
import { notFound, Refusal } from './refusal';
import { bodyOf, repositoryOf } from './repositories';
import type { State } from './state';

export interface Run {
  readonly id: number;
  readonly repository: string;
  readonly workflow: string;
  readonly ref: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly event: string;
  readonly created: string;
  status: string;
  /** What it still goes through, one each time somebody asks. */
  readonly ahead: string[];
}

export interface Runs {
  readonly routes: readonly Route[];
  readonly all: Run[];
  /** What the next ones that are started go through. */
  readonly willGo: (...statuses: readonly string[]) => void;
}

const OVER = ['success', 'failure', 'cancelled', 'skipped'];

/** Workflow runs. There is no runner: a run goes on each time it is looked at. */
export function runRoutes(state: State): Runs {
  const all: Run[] = [];
  let course: readonly string[] = ['running', 'success'];
  const at = '/api/v1/repos/{owner}/{repo}/actions';
  const major = () => Number.parseInt(state.version, 10);
  const shown = (run: Run) => ({
    id: run.id,
    index_in_repo: run.id,
    title: 'Deploy',
    workflow_id: run.workflow,
    event: run.event,
    trigger_event: run.event,
    status: run.status,
    prettyref: run.ref,
    commit_sha: 'c'.repeat(40),
    created: run.created,
    started: run.status === 'waiting' ? '0001-01-01T00:00:00Z' : run.created,
    stopped: OVER.includes(run.status) ? state.now() : '0001-01-01T00:00:00Z',
    html_url: `${state.url()}/${run.repository}/actions/runs/${run.id}`,
  });
  const keyOf = ({ owner, name }: { owner: string; name: string }) => `${owner}/${name}`;
  const one = (params: Readonly<Record<string, string>>, repository: string) => {
    const run = all.find(({ id, repository: of }) => String(id) === params['run'] && of === repository);
    if (run === undefined) throw notFound();
    return run;
  };
  const from = (version: number, route: Route): Route => ({
    ...route,
    handle: (asked) => {
      if (major() < version) throw notFound();
      return route.handle(asked);
    },
  });
  const routes: readonly Route[] = [
    from(7, {
      method: 'POST',
      template: `${at}/workflows/{workflow}/dispatches`,
      handle: (asked): Reply => {
        const body = bodyOf(asked);
        const repository = keyOf(repositoryOf(state, asked));
        const workflow = asked.params['workflow'] ?? '';
        if (!/\.ya?ml$/.test(workflow)) throw new Refusal(404, 'The workflow does not exist.');
        const run: Run = {
          id: state.nextId(),
          repository,
          workflow,
          ref: String(body['ref']),
          inputs: isObject(body['inputs']) ? body['inputs'] : {},
          event: 'workflow_dispatch',
          created: state.now(),
          status: 'waiting',
          ahead: [...course],
        };
        all.push(run);
        if (major() < 15 || body['return_run_info'] !== true) return { status: 204 };
        return { status: 201, json: { id: run.id, run_number: run.id, jobs: ['deploy'] } };
      },
    }),
    from(11, {
      method: 'GET',
      template: `${at}/runs`,
      handle: (asked) => {
        const repository = keyOf(repositoryOf(state, asked));
        const fits = (name: string, value: string) => (asked.query.get(name) ?? value) === value;
        const listed = all
          .filter((run) => run.repository === repository && fits('event', run.event) && fits('status', run.status))
          .filter((run) => fits('workflow_id', run.workflow))
          .reverse();
        const page = paged(state, asked, listed.map(shown));
        return { ...page, json: { total_count: listed.length, workflow_runs: page.json } };
      },
    }),
    from(11, {
      method: 'GET',
      template: `${at}/runs/{run}`,
      handle: (asked) => {
        const run = one(asked.params, keyOf(repositoryOf(state, asked)));
        const answer = shown(run);
        run.status = run.ahead.shift() ?? run.status;
        return { status: 200, json: answer };
      },
    }),
    from(16, {
      method: 'POST',
      template: `${at}/runs/{run}/cancel`,
      handle: (asked) => {
        const run = one(asked.params, keyOf(repositoryOf(state, asked)));
        run.ahead.splice(0);
        run.status = 'cancelled';
        return { status: 204 };
      },
    }),
    from(16, {
      method: 'DELETE',
      template: `${at}/runs/{run}`,
      handle: (asked) => {
        const run = one(asked.params, keyOf(repositoryOf(state, asked)));
        all.splice(all.indexOf(run), 1);
        return { status: 204 };
      },
    }),
    from(16, {
      method: 'GET',
      template: `${at}/runs/{run}/jobs`,
      handle: (asked) => {
        const { id, status } = one(asked.params, keyOf(repositoryOf(state, asked)));
        const job = { id: id * 10, name: 'deploy', status, attempt: 1, run_id: id, runs_on: ['docker'], needs: [] };
        return { status: 200, json: [job] };
      },
    }),
    from(16, {
      method: 'GET',
      template: `${at}/runs/{run}/logs`,
      handle: () => ({ status: 200, headers: { 'content-type': 'application/zip' }, bytes: Buffer.from('a ZIP file') }),
    }),
    from(16, {
      method: 'GET',
      template: `${at}/jobs/{job}/logs`,
      handle: () => ({ status: 200, text: '2026-01-31T00:00:00Z deployed\n' }),
    }),
  ];
  return { routes, all, willGo: (...statuses) => void (course = statuses) };
}
