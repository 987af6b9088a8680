import { readFileSync, writeFileSync } from 'node:fs';
import { startLedger, type CommitLedger, type LedgerOptions } from '../../lab/commit-ledger';

/** What one process of writers is told: each entry is one group of them. */
export type WritersPlan = readonly LedgerOptions[];

function main(file: string): void {
  const plan = JSON.parse(readFileSync(file, 'utf8')) as WritersPlan;
  const ledgers: CommitLedger[] = plan.map((one) => startLedger(one));
  process.on('SIGTERM', () => {
    void Promise.all(ledgers.map((ledger) => ledger.freeze())).then(() => {
      const sum = (pick: (ledger: CommitLedger) => number) => ledgers.reduce((total, one) => total + pick(one), 0);
      const end = { warned: sum(({ warned }) => warned.length), inDoubt: sum(({ inDoubt }) => inDoubt.length) };
      writeFileSync(`${file}.end`, JSON.stringify(end));
      process.exit(0);
    });
  });
}

main(process.argv[2] ?? '');
