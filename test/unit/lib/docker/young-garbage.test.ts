import { youngGarbage } from '../../../../lib/docker/engine/young-garbage';

const MIB = 1024 * 1024;

test('what has passed through and is kept by nobody does not pile up', () => {
  const garbage = youngGarbage();
  const before = process.memoryUsage().arrayBuffers;
  let highest = before;
  for (let count = 0; count < 200; count += 1) {
    garbage.passed(Buffer.alloc(MIB).length);
    highest = Math.max(highest, process.memoryUsage().arrayBuffers);
  }
  // By itself V8 begins at 64 MiB.
  expect((highest - before) / MIB).toBeLessThan(40);
});
