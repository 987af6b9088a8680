import {
  imageHistory,
  inspectImage,
  listImages,
  pullImage,
  pushImage,
  registryDigest,
  removeImage,
  tagImage,
} from '../../../lib/docker/engine/images';
import { createNetwork, inspectNetwork, listNetworks, removeNetwork } from '../../../lib/docker/engine/networks';
import { diskUsage, engineVersion, events, ping, prune, systemInfo } from '../../../lib/docker/engine/system';
import { createVolume, inspectVolume, listVolumes, removeVolume } from '../../../lib/docker/engine/volumes';
import { choice, keyValues, list, number, optional, schema, text, toggle } from '../../declaration';
import { changeOptions, hostField, readOptions } from '../fields';
import { registryOptions, withRegistryLogin } from '../registryLogin';
import { operation } from '../operation';
import { imageFacts, networkFacts, onHost, volumeFacts } from '../schemas';

const imageField = text({
  required: true,
  placeholder: 'redis:7-alpine',
  description: 'Name with tag or digest, or ID',
});
const removed = { name: schema.string(), changed: schema.boolean(), dryRun: schema.boolean() };

export const imageOperations = [
  operation({
    resource: 'image',
    name: 'list',
    action: 'List images',
    description: 'Gives the images of a host, one item each',
    effect: 'reads',
    input: {
      host: hostField,
      options: optional({
        ...readOptions,
        reference: text({ placeholder: 'ghcr.io/*', description: 'Only names like this' }),
      }),
    },
    output: onHost(imageFacts),
    run: async ({ input, engine, hostName, task }) =>
      (await listImages(await engine(), { reference: input.options.reference }, task)).map((one) => ({
        host: hostName,
        ...one,
      })),
  }),
  operation({
    resource: 'image',
    name: 'get',
    action: 'Get an image',
    description: 'Tells tags, digests, size and labels of an image',
    effect: 'reads',
    input: { host: hostField, image: imageField, options: optional(readOptions) },
    output: onHost(imageFacts),
    run: async ({ input, engine, hostName, task }) => ({
      host: hostName,
      ...(await inspectImage(await engine(), input.image, task)),
    }),
  }),
  operation({
    resource: 'image',
    name: 'pull',
    action: 'Pull an image',
    description: 'Fetches an image from its registry',
    effect: 'changes',
    input: { host: hostField, image: imageField, options: optional({ ...changeOptions, ...registryOptions }) },
    output: onHost({
      ...imageFacts,
      changed: schema.boolean(),
      before: schema.nullable(schema.string('ID of what the name stood for before')),
    }),
    run: async ({ input, engine, secrets, hostName, task }) =>
      await withRegistryLogin(input.options, secrets, task, async (login) => {
        const { image, changed, before } = await pullImage(await engine(), input.image, login, task);
        return { host: hostName, ...image, changed, before };
      }),
  }),
  operation({
    resource: 'image',
    name: 'push',
    action: 'Push an image',
    description: 'Sends an image to the registry that its name begins with',
    effect: 'changes',
    input: { host: hostField, image: imageField, options: optional({ ...changeOptions, ...registryOptions }) },
    output: onHost(imageFacts),
    run: async ({ input, engine, secrets, hostName, task }) =>
      await withRegistryLogin(input.options, secrets, task, async (login) => ({
        host: hostName,
        ...(await pushImage(await engine(), input.image, login, task)),
      })),
  }),
  operation({
    resource: 'image',
    name: 'checkRegistry',
    action: 'Check the registry for a newer image',
    description: 'Compares the digest that the registry has for a tag with the one on the host. Nothing is pulled.',
    effect: 'reads',
    input: { host: hostField, image: imageField, options: optional({ ...readOptions, ...registryOptions }) },
    output: onHost({
      image: schema.string(),
      remote: schema.string(),
      local: schema.array(schema.string()),
      newer: schema.boolean(),
    }),
    run: async ({ input, engine, secrets, hostName, task }) =>
      await withRegistryLogin(input.options, secrets, task, async (login) => ({
        host: hostName,
        image: input.image,
        ...(await registryDigest(await engine(), input.image, login, task)),
      })),
  }),
  operation({
    resource: 'image',
    name: 'history',
    label: 'Get History',
    action: 'Get the history of an image',
    description: 'Gives the layers of an image, one item each, the newest first',
    effect: 'reads',
    input: { host: hostField, image: imageField, options: optional(readOptions) },
    output: onHost({
      id: schema.string(),
      created: schema.string(),
      createdBy: schema.string(),
      sizeBytes: schema.integer(),
    }),
    run: async ({ input, engine, hostName, task }) =>
      (await imageHistory(await engine(), input.image, task)).map((layer) => ({ host: hostName, ...layer })),
  }),
  operation({
    resource: 'image',
    name: 'tag',
    action: 'Tag an image',
    description: 'Gives an image a further name',
    effect: 'changes',
    input: {
      host: hostField,
      image: imageField,
      newName: text({ required: true, placeholder: 'redis:before-update' }),
      options: optional(changeOptions),
    },
    output: onHost(imageFacts),
    run: async ({ input, engine, hostName, task }) => ({
      host: hostName,
      ...(await tagImage(await engine(), input.image, input.newName, task)),
    }),
  }),
  operation({
    resource: 'image',
    name: 'remove',
    action: 'Remove an image',
    description: 'Removes a name of an image, and the image with its last name',
    effect: 'destroys',
    dryRun: true,
    input: {
      host: hostField,
      image: imageField,
      options: optional({
        ...changeOptions,
        force: toggle({ description: 'Whether to remove it with all its names' }),
      }),
    },
    output: onHost({
      changed: schema.boolean(),
      removed: schema.array(schema.string()),
      dryRun: schema.boolean(),
    }),
    run: async ({ input, engine, hostName, task }) => {
      const wish = { force: input.options.force, dryRun: input.dryRun };
      return { host: hostName, ...(await removeImage(await engine(), input.image, wish, task)), dryRun: input.dryRun };
    },
  }),
];

const volumeField = text({ required: true, placeholder: 'immich_pgdata' });

export const volumeOperations = [
  operation({
    resource: 'volume',
    name: 'list',
    action: 'List volumes',
    description: 'Gives the volumes of a host, one item each',
    effect: 'reads',
    input: {
      host: hostField,
      options: optional({
        ...readOptions,
        unused: toggle({ label: 'Only Unused', description: 'Whether to list only volumes of no container' }),
      }),
    },
    output: onHost(volumeFacts),
    run: async ({ input, engine, hostName, task }) => {
      const filter = { unused: input.options.unused === true ? true : undefined };
      return (await listVolumes(await engine(), filter, task)).map((one) => ({ host: hostName, ...one }));
    },
  }),
  operation({
    resource: 'volume',
    name: 'get',
    action: 'Get a volume',
    description: 'Tells where a volume is and which containers use it',
    effect: 'reads',
    input: { host: hostField, volume: volumeField, options: optional(readOptions) },
    output: onHost({ ...volumeFacts, usedBy: schema.array(schema.string()) }),
    run: async ({ input, engine, hostName, task }) => ({
      host: hostName,
      ...(await inspectVolume(await engine(), input.volume, task)),
    }),
  }),
  operation({
    resource: 'volume',
    name: 'create',
    action: 'Create a volume',
    description: 'Makes a volume, or finds it made',
    effect: 'creates',
    input: { host: hostField, volume: volumeField, options: optional({ ...changeOptions, labels: keyValues({}) }) },
    output: onHost({ ...volumeFacts, changed: schema.boolean() }),
    run: async ({ input, engine, hostName, task }) => ({
      host: hostName,
      ...(await createVolume(await engine(), { name: input.volume, labels: input.options.labels }, task)),
    }),
  }),
  operation({
    resource: 'volume',
    name: 'remove',
    action: 'Remove a volume',
    description: 'Removes a volume with its data. Docker refuses while a container has it.',
    effect: 'destroys',
    dryRun: true,
    needsApproval: true,
    input: { host: hostField, volume: volumeField, options: optional(changeOptions) },
    output: onHost(removed),
    run: async ({ input, engine, hostName, task }) => ({
      host: hostName,
      ...(await removeVolume(await engine(), input.volume, { dryRun: input.dryRun }, task)),
      dryRun: input.dryRun,
    }),
  }),
];

const networkField = text({ required: true, placeholder: 'proxy' });

export const networkOperations = [
  operation({
    resource: 'network',
    name: 'list',
    action: 'List networks',
    description: 'Gives the networks of Docker on a host, one item each',
    effect: 'reads',
    input: { host: hostField, options: optional(readOptions) },
    output: onHost(networkFacts),
    run: async ({ engine, hostName, task }) =>
      (await listNetworks(await engine(), {}, task)).map((one) => ({ host: hostName, ...one })),
  }),
  operation({
    resource: 'network',
    name: 'get',
    action: 'Get a network',
    description: 'Tells the subnets of a network and which containers are in it',
    effect: 'reads',
    input: { host: hostField, network: networkField, options: optional(readOptions) },
    output: onHost({ ...networkFacts, usedBy: schema.array(schema.string()) }),
    run: async ({ input, engine, hostName, task }) => ({
      host: hostName,
      ...(await inspectNetwork(await engine(), input.network, task)),
    }),
  }),
  operation({
    resource: 'network',
    name: 'create',
    action: 'Create a network',
    description: 'Makes a network, or finds it made',
    effect: 'creates',
    input: {
      host: hostField,
      network: networkField,
      options: optional({
        ...changeOptions,
        subnet: text({ placeholder: '172.28.0.0/24' }),
        internal: toggle({ description: 'Whether its containers get no way out' }),
        labels: keyValues({}),
      }),
    },
    output: onHost({ ...networkFacts, changed: schema.boolean() }),
    run: async ({ input, engine, hostName, task }) => {
      const { subnet, internal, labels } = input.options;
      const wish = { name: input.network, subnet: subnet === '' ? undefined : subnet, internal, labels };
      return { host: hostName, ...(await createNetwork(await engine(), wish, task)) };
    },
  }),
  operation({
    resource: 'network',
    name: 'remove',
    action: 'Remove a network',
    description: 'Removes a network that no container is in',
    effect: 'destroys',
    dryRun: true,
    input: { host: hostField, network: networkField, options: optional(changeOptions) },
    output: onHost(removed),
    run: async ({ input, engine, hostName, task }) => ({
      host: hostName,
      ...(await removeNetwork(await engine(), input.network, { dryRun: input.dryRun }, task)),
      dryRun: input.dryRun,
    }),
  }),
];

export const systemOperations = [
  operation({
    resource: 'system',
    name: 'info',
    action: 'Get information about the engine',
    description: 'Tells versions, storage and counts of the Docker on a host',
    effect: 'reads',
    input: { host: hostField, options: optional(readOptions) },
    output: onHost({
      serverVersion: schema.string(),
      apiVersion: schema.string('The newest that both sides know'),
      operatingSystem: schema.string(),
      kernel: schema.string(),
      architecture: schema.string(),
      cpus: schema.integer(),
      memoryBytes: schema.integer(),
      storageDriver: schema.string(),
      dataFolder: schema.string(),
      containers: schema.integer(),
      running: schema.integer(),
      images: schema.integer(),
      warnings: schema.array(schema.string()),
    }),
    run: async ({ engine, hostName, task }) => ({ host: hostName, ...(await systemInfo(await engine(), task)) }),
  }),
  operation({
    resource: 'system',
    name: 'ping',
    action: 'Ping the engine',
    description: 'Asks the engine whether it is there, and how long its answer takes',
    effect: 'reads',
    input: { host: hostField, options: optional(readOptions) },
    output: onHost({ apiVersion: schema.string(), milliseconds: schema.integer() }),
    run: async ({ engine, hostName, task }) => ({ host: hostName, ...(await ping(await engine(), task)) }),
  }),
  operation({
    resource: 'system',
    name: 'version',
    label: 'Get Version',
    action: 'Get the versions of the engine',
    description: 'Tells the versions of the engine, its API and its parts',
    effect: 'reads',
    input: { host: hostField, options: optional(readOptions) },
    output: onHost({
      version: schema.string(),
      apiVersion: schema.string('The newest that both sides know'),
      newestApiVersion: schema.string(),
      oldestApiVersion: schema.string(),
      operatingSystem: schema.string(),
      architecture: schema.string(),
      kernel: schema.string(),
      components: schema.record(schema.string(), 'Version by part: containerd, runc, …'),
    }),
    run: async ({ engine, hostName, task }) => ({ host: hostName, ...(await engineVersion(await engine(), task)) }),
  }),
  operation({
    resource: 'system',
    name: 'diskUsage',
    action: 'Get the disk usage',
    description: 'Tells what images, containers, volumes and build caches take',
    effect: 'reads',
    input: { host: hostField, options: optional(readOptions) },
    output: onHost({
      imagesBytes: schema.integer(),
      containersBytes: schema.integer(),
      volumesBytes: schema.integer(),
      buildCacheBytes: schema.integer(),
      images: schema.integer(),
      containers: schema.integer(),
      volumes: schema.integer(),
    }),
    run: async ({ engine, hostName, task }) => ({ host: hostName, ...(await diskUsage(await engine(), task)) }),
  }),
  operation({
    resource: 'system',
    name: 'events',
    label: 'Get Events',
    action: 'Get the events in a window of time',
    description: 'Gives what happened to containers, images, volumes and networks, one item each',
    effect: 'reads',
    input: {
      host: hostField,
      minutes: number({ label: 'Last Minutes', default: 60, min: 1, max: 10_080 }),
      options: optional({
        ...readOptions,
        types: list({ description: 'For example container or image' }),
        actions: list({ description: 'For example die, oom or start' }),
      }),
    },
    output: onHost({
      type: schema.string(),
      action: schema.string(),
      id: schema.string(),
      name: schema.string(),
      time: schema.string(),
      timeNano: schema.string(),
      attributes: schema.record(schema.string()),
    }),
    run: async function* ({ input, engine, hostName, task }) {
      const now = Date.now() / 1000;
      const wish = {
        since: String(Math.floor(now - input.minutes * 60)),
        until: String(Math.ceil(now)),
        types: input.options.types,
        events: input.options.actions,
      };
      for await (const event of events(await engine(), wish, task)) yield { host: hostName, ...event };
    },
  }),
  operation({
    resource: 'system',
    name: 'prune',
    action: 'Prune what is not used',
    description: 'Removes stopped containers, or unused images, volumes or networks',
    effect: 'destroys',
    dryRun: true,
    needsApproval: true,
    input: {
      host: hostField,
      what: choice({
        options: { containers: 'Containers', images: 'Images', volumes: 'Volumes', networks: 'Networks' },
        default: 'images',
      }),
      all: toggle({
        label: 'Also With a Name',
        description: 'Whether unused images and volumes that have a name go, too',
      }),
      options: optional({ ...changeOptions, labels: list({ description: 'Only what has all of these labels' }) }),
    },
    output: onHost({
      what: schema.string(),
      changed: schema.boolean(),
      removed: schema.array(schema.string()),
      freedBytes: schema.nullable(schema.integer('Null in a dry run')),
      dryRun: schema.boolean(),
    }),
    run: async ({ input, engine, hostName, task }) => {
      const { what, all, dryRun } = input;
      const result = await prune(await engine(), { what, all, labels: input.options.labels, dryRun }, task);
      return { host: hostName, what, ...result, dryRun };
    },
  }),
];
