import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { startMariadb, type MariadbServer } from '../../../../lab/mariadb';
import type { MysqlSource } from '../../../../lib/backup/plan';
import { drillRestore, restoreBackup } from '../../../../lib/backup/restore';
import { needManifest } from '../../../../lib/backup/stored';
import { verifyBackup } from '../../../../lib/backup/verify';
import { describeAsRoot } from '../../lab/as-root';
import { taskOf } from '../host/machine';
import { canaryFiles, filesBelow, startEstate, type Estate } from './estate';

const CANARY = 'CANARY-MARIADB-4711';
const task = taskOf('mariadb test');

describeAsRoot('a backup of MariaDB', () => {
  let estate: Estate;
  let mariadb: MariadbServer;
  beforeAll(async () => {
    [estate, mariadb] = await Promise.all([startEstate(), startMariadb()]);
    await chmod(estate.folder, 0o711);
    await mariadb.sql(`
CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
USE shop;
CREATE TABLE orders (id int PRIMARY KEY AUTO_INCREMENT, note text, raw blob) ENGINE=InnoDB;
INSERT INTO orders (note, raw) SELECT concat('${CANARY} ', seq, ' ünï\\n''quoted'''), unhex(sha2(seq, 256)) FROM seq_1_to_20000;
CREATE TABLE \`odd "name\`\`\` (x int) ENGINE=InnoDB;
INSERT INTO \`odd "name\`\`\` VALUES (1), (2), (3);
CREATE TABLE scratchpad (x int) ENGINE=MyISAM;
CREATE VIEW latest AS SELECT * FROM orders ORDER BY id DESC LIMIT 1;
CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = concat(NEW.note, '!');
CREATE PROCEDURE p() SELECT 1;
CREATE DATABASE bare CHARACTER SET latin1;
CREATE DATABASE writing;
CREATE TABLE writing.control (going int);
INSERT INTO writing.control VALUES (1);
DELIMITER //
CREATE PROCEDURE writing.go_on() BEGIN
  WHILE (SELECT going FROM writing.control) = 1 DO
    INSERT INTO shop.orders (note) VALUES ('late');
    DO sleep(0.002);
  END WHILE;
END //
DELIMITER ;
`);
  });
  afterAll(async () => {
    await mariadb.stop();
    await estate.stop();
  });

  const source = (database: string): MysqlSource => ({
    kind: 'mysql',
    name: `mysql/${database}`,
    database,
    address: mariadb.socket,
    user: mariadb.user,
    password: mariadb.password,
  });
  const access = () => ({ address: mariadb.socket, user: mariadb.user, password: mariadb.password });

  test('is taken with counts of its own snapshot while rows are written, verified, drilled and restored', async () => {
    const { plan, local, webdav, machine, vault, folder } = estate;
    const destinations = [local('m1'), webdav('m2')] as const;
    const { kind: _, database: __, name: ___, ...reached } = source('shop');
    // A row every other millisecond, so that two snapshots that are not of one moment differ.
    const writer = mariadb.sql('CALL writing.go_on()');
    const report = await estate
      .backUp(
        plan({
          sources: [source('shop'), source('bare'), { kind: 'mysql-accounts', name: 'mysql-accounts', ...reached }],
          destinations,
        }),
      )
      .finally(() => mariadb.sql('UPDATE writing.control SET going = 0'));
    await writer;
    expect(report.sources.map(({ source: name, status, sentence }) => [name, status, sentence])).toEqual([
      ['mysql/shop@bruno', 'degraded', expect.stringContaining('1 of 2 destinations hold a proven copy')],
      ['mysql/bare@bruno', 'degraded', expect.any(String)],
      ['mysql-accounts@bruno', 'degraded', expect.any(String)],
    ]);
    const backup = { source: 'mysql/shop', name: report.sources[0]?.name ?? '' };
    const { facts, producers } = await needManifest(machine.host, vault, backup, destinations[0], task);
    expect(producers.map(({ name }) => name)).toEqual(['mariadb-dump', 'writer', 'mariadb', 'dd', 'zstd', 'split']);
    expect(facts).toMatchObject({
      kind: 'mysql',
      database: 'shop',
      flavour: 'mariadb',
      charset: 'utf8mb4',
      collation: 'utf8mb4_unicode_ci',
      uncounted: ['scratchpad'],
      tables: [
        { schema: 'main', table: 'odd "name`', rows: 3 },
        { schema: 'main', table: 'orders', rows: expect.any(Number) },
      ],
    });
    const verified = await verifyBackup(machine.host, { vault, backup, destinations, depth: { kind: 'full' } }, task);
    expect(verified.copies.map(({ status }) => status)).toEqual(['proven', 'proven']);
    const before = await filesBelow(folder);
    // The rows that were written meanwhile are in the dump exactly when the counts have them.
    expect(await drillRestore(machine.host, { vault, backup, from: destinations[1], folder }, task)).toEqual({
      destination: 'm2',
      restorable: true,
      seconds: expect.any(Number),
      sentence: expect.stringMatching(/^Restorable: yes, from m2 in \d+\.\d s$/),
      differences: [],
      tables: 2,
      amcheck: true,
    });
    expect(await filesBelow(folder)).toEqual(before);

    const target = { kind: 'mysql', database: 'shop_again', access: access() } as const;
    const restored = await restoreBackup(machine.host, { vault, backup, from: destinations[0], target }, task);
    expect(restored.tables).toEqual(facts.tables);
    expect(await mariadb.sql('SELECT note, hex(raw) FROM orders WHERE id = 7', 'shop_again')).toBe(
      await mariadb.sql('SELECT note, hex(raw) FROM orders WHERE id = 7', 'shop'),
    );
    expect(
      await mariadb.sql('SHOW TRIGGERS; SHOW CREATE PROCEDURE p; SELECT @@collation_database', 'shop_again'),
    ).toMatch(/stamp[^]*CREATE [^]*PROCEDURE `p`[^]*utf8mb4_unicode_ci\n$/);
    await expect(
      restoreBackup(machine.host, { vault, backup, from: destinations[0], target }, task),
    ).rejects.toMatchObject({ code: 'restore_failed', message: expect.stringContaining('database exists') });
    expect(await mariadb.sql('SELECT count(*) FROM `odd "name```', 'shop_again')).toBe('3\n');

    const bare = { source: 'mysql/bare', name: report.sources[1]?.name ?? '' };
    expect(
      await drillRestore(machine.host, { vault, backup: bare, from: destinations[0], folder }, task),
    ).toMatchObject({
      restorable: true,
      tables: 0,
    });
    const accounts = { source: 'mysql-accounts', name: report.sources[2]?.name ?? '' };
    const file = join(folder, 'accounts.sql');
    await restoreBackup(
      machine.host,
      { vault, backup: accounts, from: destinations[0], target: { kind: 'file', path: file } },
      task,
    );
    expect(await canaryFiles(['CREATE USER `backup`@`localhost`'], [file])).toEqual([file]);
  });

  test('a user who may not hold writes, and a wrong password, are told and give nothing a name', async () => {
    const { plan, local, machine, spool, logFile } = estate;
    await mariadb.sql(
      "CREATE USER weak@localhost IDENTIFIED BY 'a weak word'; GRANT SELECT ON shop.* TO weak@localhost;",
    );
    const report = await estate.backUp(
      plan({
        set: 'weak',
        sources: [
          { ...source('shop'), user: 'weak', password: 'a weak word' },
          { ...source('bare'), password: 'a wrong word' },
        ],
        destinations: [local('weak')],
      }),
    );
    expect(report.sources.map(({ status, sentence }) => [status, sentence])).toEqual([
      ['failed', expect.stringMatching(/RELOAD/)],
      ['failed', expect.stringMatching(/Access denied/)],
    ]);
    expect(await filesBelow(estate.pathOf('weak'))).toEqual([]);
    expect(
      await canaryFiles(
        [CANARY, mariadb.password, 'a weak word', 'a wrong word'],
        [machine.state, spool, estate.pathOf(''), logFile, '/run', '/dev/shm'],
      ),
    ).toEqual([]);
  });
});
