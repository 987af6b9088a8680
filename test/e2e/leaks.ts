import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The shapes in which a value could lie somewhere: as it is, in JSON, in an address, in base64 at any offset, in hex. */
function formsOf(value: string): readonly string[] {
  const inBase64 = [0, 1, 2].map((before) =>
    Buffer.concat([Buffer.alloc(before), Buffer.from(value)])
      .toString('base64')
      // What depends on what stands beside it.
      .slice(before === 0 ? 0 : 4, -4)
      .replace(/=+$/, ''),
  );
  return [
    value,
    JSON.stringify(value).slice(1, -1),
    JSON.stringify(JSON.stringify(value)).slice(3, -3),
    encodeURIComponent(value),
    Buffer.from(value).toString('hex'),
    ...inBase64.filter((form) => form.length >= 8),
  ];
}

/** Where any of these values is to be seen: `file: value`. */
export function leaksIn(places: ReadonlyMap<string, Buffer>, values: readonly string[]): readonly string[] {
  const found = new Set<string>();
  for (const value of values) {
    for (const form of formsOf(value)) {
      for (const [place, content] of places) if (content.includes(form)) found.add(`${place}: ${value}`);
    }
  }
  return [...found];
}

/** All that n8n keeps: its database, read as files and through SQLite, binary data, logs. Not the code it runs. */
export function keptBy(n8nFolder: string, log: string): ReadonlyMap<string, Buffer> {
  const places = new Map<string, Buffer>([['n8n’s log', Buffer.from(log)]]);
  const visit = (folder: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (entry.name !== 'node_modules') visit(path);
      } else if (entry.isFile() && statSync(path).size < 1 << 28) {
        places.set(path, readFileSync(path));
        // A value that lies over the edge of two pages is whole only here.
        if (entry.name.endsWith('.sqlite')) places.set(`${path}, its rows`, dump(path));
      }
    }
  };
  visit(n8nFolder);
  return places;
}

function dump(database: string): Buffer {
  return execFileSync('sqlite3', ['-readonly', database, '.timeout 10000', '.dump'], { maxBuffer: 1 << 29 });
}

export interface ProcessWatch {
  /** Ends the watch and gives all arguments and environments that were seen. */
  readonly stop: () => Promise<ReadonlyMap<string, Buffer>>;
  readonly looks: () => number;
}

/** Looks at the arguments and the environment of every process of this machine, again and again. */
export function watchProcesses(): ProcessWatch {
  const seen = new Set<string>();
  const watching = new AbortController();
  let looks = 0;
  const look = () => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      for (const what of ['cmdline', 'environ']) {
        try {
          seen.add(readFileSync(`/proc/${pid}/${what}`, 'latin1'));
        } catch {
          // It has ended, or is a thread of the kernel.
        }
      }
    }
    looks += 1;
  };
  const watch = (async () => {
    while (!watching.signal.aborted) {
      look();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return {
    looks: () => looks,
    stop: async () => {
      watching.abort();
      await watch;
      return new Map([['a process of this machine', Buffer.from([...seen].join('\n'), 'latin1')]]);
    },
  };
}
