import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commandOwner } from '../../../../lib/rotation/owners/command';
import { rotate } from '../../../../lib/rotation/rotate';
import { describeAsRoot } from '../../../integration/lab/as-root';
import { type Bench, startBench } from '../../../integration/lib/rotation/bench';
import { buildRotator, type Rotator } from '../../../integration/lib/rotation/deadly';
import { quietTask } from '../../../shared/task';

jest.setTimeout(600_000);

const PROGRAM = `#!/bin/bash
set -eu
known=\${0%/*}/known
IFS= read -r value
case $1 in
  set) printf %s "$value" > "$known" ;;
  prove) [ "$(cat "$known")" = "$value" ] || exit 10 ;;
esac
`;

describeAsRoot('a rotation whose process is killed', () => {
  const task = quietTask();
  let bench: Bench;
  let rotator: Rotator;
  beforeAll(async () => {
    bench = await startBench();
    rotator = buildRotator();
  });
  afterAll(async () => {
    (rotator as Rotator | undefined)?.remove();
    await (bench as Bench | undefined)?.stop();
  });

  test('at any moment is whole again after the next run', async () => {
    const folder = join(bench.folder, 'shop');
    await mkdir(folder);
    const program = join(folder, 'password');
    await writeFile(program, PROGRAM, { mode: 0o755 });
    const known = join(folder, 'known');
    const outcomes: string[] = [];
    for (let dieAt = 1; ; dieAt += 1) {
      await writeFile(known, 'old-value');
      await bench.begin('old-value');
      const owner = commandOwner({ host: bench.host, label: 'shop', argv: [program] });
      const rotation = bench.rotation(owner, { newValue: () => 'second-value' });
      const { host, login, standIn, file } = bench;
      const { place, key } = rotation;
      const plan = { host, siteUrl: standIn.url, login, place, key, program, file, fresh: 'first-value', dieAt };
      const end = await rotator.run(plan);
      if (end === 'done') break;
      const left = await bench.unfinished();
      const { unfinished } = await rotate(rotation, task);
      const wanted = left === 1 ? 'first-value' : 'second-value';
      expect({ dieAt, unfinished, owner: await readFile(known, 'utf8') }).toEqual({
        dieAt,
        unfinished: left === 1 ? 'continued' : 'none',
        owner: wanted,
      });
      expect([bench.inInfisical(), await bench.inFile(), await bench.unfinished()]).toEqual([wanted, wanted, 0]);
      outcomes.push(unfinished);
    }
    console.log(`${outcomes.length} moments: ${outcomes.join(', ')}`);
    expect(outcomes.length).toBeGreaterThan(20);
    expect(new Set(outcomes)).toEqual(new Set(['none', 'continued']));
  });
});
