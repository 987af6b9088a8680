import { readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { labFolder, serverDataFolder } from './folders';
import { endMarked } from './leftovers';
import { main } from './main';
import { takeLab } from './open';

/** Everything the labs of this checkout remember. The installed n8n and the lock stay. */
main(async () => {
  await takeLab();
  await endMarked(`${labFolder}:start`);
  for (const entry of readdirSync(labFolder)) {
    if (entry !== 'lock' && entry !== 'pack') rmSync(join(labFolder, entry), { recursive: true, force: true });
  }
  rmSync(dirname(serverDataFolder('queue')), { recursive: true, force: true });
  process.stdout.write(
    'The lab is new: the next `npm start` makes another account, and nothing of the old one is left.\n',
  );
  return 0;
});
