import { withPatience } from '../../../../lib/docker/registry/patience';
import { Failure } from '../../../../lib/failure';
import { cancelled, type Task } from '../../../../lib/task';
import { quietTask } from '../../../shared/task';

const place = { localSocket: '/run/docker.sock' };
const registry = 'registry.kua.test:5000';
let executions = 0;
/** An execution that nobody has waited in vain for. */
const execution = (signal?: AbortSignal) => quietTask(signal, `execution ${(executions += 1)}`);

/** As an engine does: it ends when it is told to, and not before. */
const never = ({ signal }: Task) =>
  new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(cancelled('the engine')), { once: true });
  });
const answers = () => Promise.resolve('sha256:1');
const refuses = () =>
  Promise.reject(new Failure({ code: 'refused', subject: registry, message: 'connection refused', nextStep: 'Look.' }));
const asked = (more: { registry?: string; patienceMs?: number } = {}) => ({ place, registry, patienceMs: 30, ...more });
const silence = {
  code: 'registry_silent',
  message: `The registry ${registry} did not answer Docker at /run/docker.sock within 0.03 s`,
};

describe('the patience with a registry', () => {
  test('one that is silent is waited for once, and after that said in the same words without being asked', async () => {
    const task = execution();
    await expect(withPatience(asked(), task, never)).rejects.toMatchObject(silence);
    const ask = jest.fn(answers);
    await expect(withPatience(asked(), task, ask)).rejects.toMatchObject(silence);
    expect(ask).not.toHaveBeenCalled();
    expect(await withPatience(asked({ registry: 'another' }), task, answers)).toBe('sha256:1');
    expect(await withPatience({ ...asked(), place: { localSocket: '/other' } }, task, answers)).toBe('sha256:1');
  });

  test('the next execution asks it again', async () => {
    await expect(withPatience(asked(), execution(), never)).rejects.toMatchObject(silence);
    expect(await withPatience(asked(), execution(), answers)).toBe('sha256:1');
  });

  test('one that refuses at once is asked about each image, and its own words are kept', async () => {
    const task = execution();
    const ask = jest.fn(refuses);
    for (let image = 0; image < 3; image += 1) {
      await expect(withPatience(asked({ patienceMs: 60_000 }), task, ask)).rejects.toMatchObject({ code: 'refused' });
    }
    expect(ask).toHaveBeenCalledTimes(3);
    expect(await withPatience(asked({ patienceMs: 60_000 }), task, answers)).toBe('sha256:1');
  });

  test('Stop ends the wait as a stop, and says nothing about the registry', async () => {
    const stop = new AbortController();
    const task = execution(stop.signal);
    const waiting = withPatience(asked({ patienceMs: 60_000 }), task, never);
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    expect(await withPatience(asked(), { ...task, signal: new AbortController().signal }, answers)).toBe('sha256:1');
  });
});
