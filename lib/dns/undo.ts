import { subjectOfChange } from './change';
import { isClaim } from './claims';
import { decide } from './decide';
import { zoneName } from './name';
import { checkOwner, ownership } from './ownership';
import { changesOf, planHash, PLAN_VERSION, refuseProblems, zoneAfter, type ZonePlan } from './plan';
import type { DnsProvider } from './provider';
import { describeRecord, inOrder, setKey, type ObservedRecord, type RecordFields } from './record';
import { brokenZone } from './rules';
import { refuseDanger, USUAL_LIMITS, type Limits } from './safety';
import { matchingRecords, namedRecords, type Selects } from './selectors';
import { writeRdata } from './value';
import { readZoneFile } from './zone-file-read';

/** What is needed to take an apply back. It is made before the first write. */
export interface UndoPoint {
  readonly zone: string;
  readonly provider: string;
  readonly owner: string;
  /** The whole zone, as a BIND zone file with annotations. */
  readonly export: string;
  /** The names and types that the apply may change: `www.kua.cl A`. Undo looks at nothing else. */
  readonly touched: readonly string[];
  /** Patterns that the plan did not look at. */
  readonly ignore: readonly string[];
}

export function undoPoint(plan: ZonePlan, zoneFile: string): UndoPoint {
  const touched = [...new Set(changesOf(plan).map((change) => setKey(subjectOfChange(change))))];
  const { zone, provider, owner, ignore } = plan;
  return { zone, provider, owner, export: zoneFile, touched: touched.sort(), ignore };
}

export interface UndoRequest {
  /** Without `touched` (an export from elsewhere) the whole zone is gone through, and only our records may change. */
  readonly undo: Pick<UndoPoint, 'zone' | 'owner' | 'export'> & Partial<Pick<UndoPoint, 'touched' | 'ignore'>>;
  readonly provider: Pick<DnsProvider, 'name' | 'capabilities'>;
  readonly observed: readonly ObservedRecord[];
  readonly limits?: Partial<Limits>;
}

/**
 * A plan back to an export, all fields of its records included. What the apply touched goes back, also where it was not
 * ours; records that others have made since then are never deleted.
 */
export function planUndo({ undo, provider, observed, limits }: UndoRequest): ZonePlan {
  const zone = zoneName(undo.zone);
  const owner = checkOwner(undo.owner);
  const { capabilities } = provider;
  const ignored = matchingRecords(undo.ignore ?? [], zone);
  const touched = undo.touched === undefined ? () => true : namedRecords(undo.touched, zone);
  const inScope: Selects = (record) => touched(record) && !ignored(record);
  const changeNamed = namedRecords(undo.touched ?? [], zone);
  const exported = readZoneFile(undo.export, zone).records;
  const ownerThen = ownership(exported, capabilities);
  const wanted = exported.filter(inScope);
  const ordered = inOrder(observed.filter((record) => !ignored(record)));
  const ownerOf = ownership(ordered, capabilities);

  const decision = decide<RecordFields>({
    wanted,
    candidates: ordered.filter(inScope).map((record) => ({
      record,
      standing: ownerOf(record) === owner ? 'ours' : changeNamed(record) ? 'named' : 'foreign',
    })),
    deletes: true,
    wasForeign: (record) => ownerThen(record) !== owner,
    changed: (record) => record,
    created: (record) => record,
  });
  const left = new Set(decision.inTheWay.map(({ record }) => record));
  const plan: Omit<ZonePlan, 'hash'> = {
    version: PLAN_VERSION,
    zone,
    provider: provider.name,
    owner,
    mode: 'undo',
    create: decision.create,
    update: decision.update,
    delete: decision.delete,
    unchanged: decision.unchanged,
    foreign: inOrder([...decision.foreign, ...left, ...ordered.filter((record) => !inScope(record))]),
    warnings: [...left, ...decision.extra.map(({ record }) => record)].map(
      (record) =>
        `${describeRecord(record)} ${writeRdata(record.value)} is not ours, differs from the export, and stays`,
    ),
    ignore: undo.ignore ?? [],
    desired: inOrder(wanted),
    observed: ordered,
  };
  const changes = changesOf(plan);
  const names = new Set(changes.map((change) => subjectOfChange(change).name));
  const setting = { zone, provider: provider.name, capabilities, owner };
  refuseProblems(zone, brokenZone(observed, zoneAfter(observed, changes), names, setting));
  refuseDanger({
    zone,
    changes,
    zoneSize: ordered.filter((record) => !isClaim(record)).length,
    limits: { ...USUAL_LIMITS, ...limits },
    changeNamed,
    deleteNamed: changeNamed,
  });
  return { ...plan, hash: planHash(plan) };
}
