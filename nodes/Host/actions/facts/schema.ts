import { schema } from '../../../declaration';

const text = schema.nullable(schema.string());
const count = schema.nullable(schema.integer());

/** Every section is absent when it was not asked for, and null when it could not be found out; notSeen says why. */
export const factsOutput = schema.object({
  host: schema.string(),
  address: schema.string(),
  takenAt: schema.string('By the clock of n8n'),
  system: schema.optional(
    schema.nullable(
      schema.object({
        hostname: schema.string(),
        id: text,
        version: text,
        prettyName: text,
        kernel: schema.string(),
        architecture: text,
        virtualisation: text,
      }),
    ),
  ),
  boot: schema.optional(
    schema.nullable(schema.object({ id: schema.string(), time: schema.string(), uptimeSeconds: schema.number() })),
  ),
  cpu: schema.optional(
    schema.nullable(
      schema.object({
        count: schema.integer(),
        load1: schema.number(),
        load5: schema.number(),
        load15: schema.number(),
      }),
    ),
  ),
  memory: schema.optional(
    schema.nullable(
      schema.object({
        totalBytes: schema.integer(),
        availableBytes: schema.integer(),
        usedPercent: schema.number(),
        swapTotalBytes: schema.integer(),
        swapFreeBytes: schema.integer(),
        swapUsedPercent: schema.nullable(schema.number()),
      }),
    ),
  ),
  disks: schema.optional(
    schema.nullable(
      schema.array(
        schema.object({
          mount: schema.string(),
          device: schema.string(),
          type: schema.string(),
          readOnly: schema.boolean(),
          state: schema.oneOf(['read', 'not answering', 'unreadable']),
          sizeBytes: schema.optional(schema.integer()),
          usedBytes: schema.optional(schema.integer()),
          freeBytes: schema.optional(schema.integer()),
          usedPercent: schema.optional(schema.number()),
          inodes: schema.optional(count),
          inodesFree: schema.optional(count),
          inodesUsedPercent: schema.optional(schema.nullable(schema.number())),
        }),
      ),
    ),
  ),
  ports: schema.optional(
    schema.nullable(
      schema.array(
        schema.object({
          protocol: schema.oneOf(['tcp', 'udp']),
          address: schema.string(),
          port: schema.integer(),
          reach: schema.oneOf(['loopback', 'private', 'public']),
          userId: schema.integer(),
          process: text,
          processId: count,
        }),
      ),
    ),
  ),
  reboot: schema.optional(
    schema.nullable(
      schema.object({
        pending: schema.oneOf(['yes', 'no', 'unknown']),
        reasons: schema.array(schema.string()),
        packages: schema.array(schema.string()),
        runningKernel: schema.string(),
        newestKernel: text,
      }),
    ),
  ),
  updates: schema.optional(
    schema.nullable(
      schema.object({
        manager: schema.string(),
        count: schema.integer(),
        securityCount: schema.integer(),
        packages: schema.array(
          schema.object({
            name: schema.string(),
            from: schema.string(),
            to: schema.string(),
            security: schema.boolean(),
          }),
        ),
        listsFrom: text,
      }),
    ),
  ),
  clock: schema.optional(
    schema.nullable(
      schema.object({
        offsetMs: schema.number('Positive when the host is ahead of n8n'),
        errorMs: schema.number(),
        synchronised: schema.oneOf(['yes', 'no', 'unknown']),
        source: schema.nullable(schema.oneOf(['chronyc', 'timedatectl'])),
      }),
    ),
  ),
  units: schema.optional(
    schema.nullable(schema.object({ failedCount: schema.integer(), failed: schema.array(schema.string()) })),
  ),
  users: schema.optional(
    schema.nullable(schema.object({ sessions: schema.integer(), names: schema.array(schema.string()) })),
  ),
  notSeen: schema.array(
    schema.object({
      section: schema.string(),
      extent: schema.oneOf(['all', 'part']),
      why: schema.string(),
      missingTool: text,
    }),
    'What could not be found out, and why',
  ),
});
