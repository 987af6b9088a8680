import { isFailure } from '../../../failure';
import { serviceStatus } from '../../../host/services/status';
import { Wrong } from '../probe';
import { onHost } from './on-host';

/** A systemd unit is active; a timer waits. */
export const unitKind = onHost((fields) => {
  const name = fields.needText('unit');
  const mayRest = fields.flag('mayRest') ?? false;
  return async (host, task) => {
    const unit = await serviceStatus(host, { name, logLines: 0 }, task).catch((error: unknown) => {
      throw isFailure(error, 'unit_unknown') ? new Wrong('there is no such unit') : error;
    });
    const { active, sub, result } = unit;
    // A completed one-shot is no trouble where that is said; what has failed always is.
    if (active === 'active' || active === 'reloading' || (mayRest && active === 'inactive'))
      return `it is ${active} (${sub})`;
    throw new Wrong(`it is ${active} (${[sub, result].filter((one) => one !== null && one !== '').join(', ')})`);
  };
});
