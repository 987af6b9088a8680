import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseFlow } from '../../../../lib/flows/flow';
import { partsOf } from '../../../../lib/flows/parts';
import { fingerprints, type Released } from '../../../../lib/flows/released';
import releases from '../../../../lib/flows/releases.json';
import { version } from '../../../../package.json';
import { root } from '../../../../packaging/sources';

// By these an upgrade tells what somebody edited from what a release shipped so. `npm run golden` writes those of the
// version that package.json names; those of older versions stay as they are.
const file = path.join(root, 'lib', 'flows', 'releases.json');
const folder = path.join(root, 'workflows');

const current: Released = {
  version,
  flows: Object.fromEntries(
    readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => {
        const flow = parseFlow(name, readFileSync(path.join(folder, name), 'utf8'));
        return [flow.id, fingerprints(partsOf(flow, new Map()))] as const;
      }),
  ),
};

if (process.env['REWRITE'] === 'golden') {
  const older = (releases as readonly Released[]).filter((release) => release.version !== version);
  writeFileSync(file, `${JSON.stringify([...older, current])}\n`);
}

test('what this version ships is known to later upgrades; if a flow should change, run `npm run golden`', () => {
  const known = JSON.parse(readFileSync(file, 'utf8')) as readonly Released[];
  expect(known.at(-1)).toEqual(current);
  expect(new Set(known.map((release) => release.version)).size).toBe(known.length);
});
