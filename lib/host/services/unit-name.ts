import { Failure } from '../../failure';

const TYPES = 'service|socket|device|mount|automount|swap|target|path|timer|slice|scope';
// What systemd.unit allows; patterns, blanks and slashes are not in it.
const NAME = new RegExp(`^[A-Za-z0-9:_.\\\\-]+(@[A-Za-z0-9:_.\\\\@-]*)?\\.(${TYPES})$`);
const LONGEST = 255;

/** `nginx` means nginx.service. Anything that systemctl could take for a pattern, a path or an option is refused. */
export function parseUnitName(text: string): string {
  const given = text.trim();
  const name = new RegExp(`\\.(${TYPES})$`).test(given) ? given : `${given}.service`;
  if (NAME.test(name) && name.length <= LONGEST) return name;
  throw new Failure({
    code: 'unit_name_invalid',
    subject: `unit ${JSON.stringify(given.slice(0, 80))}`,
    message: `${JSON.stringify(given.slice(0, 80))} is not the name of a systemd unit`,
    nextStep:
      'Use letters, digits and : _ . - \\ @, for example nginx or rclone@photos.service. systemd-escape prints the name for anything else.',
  });
}
