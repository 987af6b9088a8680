import { describeAsRoot } from '../../../integration/lab/as-root';
import { fillDatabase, startEstate, type Estate } from '../../../integration/lib/backup/estate';

describeAsRoot('a backup to destinations of different pace', () => {
  let estate: Estate;
  beforeAll(async () => {
    estate = await startEstate();
    await fillDatabase(estate.postgres, 'immich', 'CANARY-PACE', 80_000);
  });
  afterAll(() => estate.stop());

  test('a slow destination is left behind when the spool is full, and the others go on', async () => {
    const { local, plan } = estate;
    const base = plan({ destinations: [local('quick')] });
    const report = await estate.backUp({
      ...base,
      set: 'tight',
      destinations: [local('quick'), { ...local('slow'), bandwidth: '20k' }],
      spool: { ...base.spool, limitBytes: 2 * 256 * 1024 },
    });
    expect(report).toMatchObject({
      status: 'degraded',
      destinations: [
        { destination: 'quick', failure: null },
        { destination: 'slow', failure: expect.stringMatching(/so slow that the spool had to go on without it/) },
      ],
    });
  });
});
