import { isFailure } from '../../../failure';
import { DEFAULT_SOCKET } from '../../../docker/engine/access';
import { inspectContainer } from '../../../docker/engine/containers';
import { connectEngine } from '../../../docker/engine/engine';
import { Wrong } from '../probe';
import { onHost } from './on-host';

/** A container runs and its health check says that it is well. One without a health check only has to run. */
export const containerKind = onHost((fields) => {
  const name = fields.needText('container');
  const socketPath = fields.text('socket') ?? DEFAULT_SOCKET;
  const mayFinish = fields.flag('mayFinish') ?? false;
  return async (host, task) => {
    const engine = await connectEngine({ host, socketPath }, task);
    const container = await inspectContainer(engine, name, task).catch((error: unknown) => {
      throw isFailure(error, 'not_found') ? new Wrong('there is no such container') : error;
    });
    const { state, health, exitCode } = container;
    if (mayFinish && state === 'exited' && exitCode === 0) return 'it has finished';
    if (state !== 'running') throw new Wrong(`it is ${state}${state === 'exited' ? ` (exit code ${exitCode})` : ''}`);
    if (health === 'unhealthy') throw new Wrong('it runs and says that it is unhealthy');
    if (health === 'starting') return 'it runs, and its health check has not spoken yet';
    return health === null ? 'it runs' : 'it is healthy';
  };
});
