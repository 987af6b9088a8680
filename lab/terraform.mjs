#!/usr/bin/env node
// Stands in for Terraform, which no Debian package brings: its commands init, plan, show -json and apply, and the shape
// of its plans. A module is wanted.json, the state state.json: objects of attributes by address. What it cannot do, it
// refuses; a plan of a state that has moved on is stale, as with the real one.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const [command, ...rest] = process.argv.slice(2);
const flags = new Set(['-input=false', '-no-color', '-lock-timeout=5m', '-json']);
const given = rest.filter((one) => !flags.has(one));
const out = given.find((one) => one.startsWith('-out='))?.slice('-out='.length);
const [file, ...unknown] = given.filter((one) => !one.startsWith('-out='));
const fail = (message) => {
  process.stderr.write(`Error: ${message}\n`);
  process.exit(1);
};
const read = (path, otherwise) => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : otherwise);
const state = () => read('state.json', { serial: 0, resources: {} });
if (unknown.length > 0 || (file ?? '').startsWith('-')) fail(`Too many or unknown arguments: ${given.join(' ')}`);

function actionsFor(before, after) {
  if (JSON.stringify(before) === JSON.stringify(after)) return ['no-op'];
  if (before === null) return ['create'];
  if (after === null) return ['delete'];
  return before.image === after.image ? ['update'] : ['delete', 'create'];
}

function changes({ resources }, wanted) {
  const addresses = [...new Set([...Object.keys(resources), ...Object.keys(wanted)])].sort();
  return addresses.map((address) => {
    const [before, after] = [resources[address] ?? null, wanted[address] ?? null];
    const change = { actions: actionsFor(before, after), before, after, after_unknown: {} };
    return { address, mode: 'managed', change };
  });
}

switch (command) {
  case 'init':
    process.stdout.write('Terraform has been successfully initialized!\n');
    break;
  case 'plan': {
    const wanted = read('wanted.json') ?? fail('No configuration files');
    // A provider says so when its token is missing.
    if (wanted.needs !== undefined && !process.env[wanted.needs]) fail(`${wanted.needs} is not set`);
    const { serial, resources } = state();
    const resource_changes = changes({ resources }, wanted.resources);
    const plan = { format_version: '1.2', terraform_version: '1.9.8', serial, resource_changes };
    writeFileSync(out ?? fail('No -out'), JSON.stringify({ ...plan, planned: wanted.resources }));
    process.stdout.write(`Planned ${resource_changes.length} resources\n`);
    break;
  }
  case 'show':
    process.stdout.write(readFileSync(file, 'utf8'));
    break;
  case 'apply': {
    const plan = read(file) ?? fail(`Failed to load "${file}" as a plan file`);
    const { serial } = state();
    if (plan.serial !== serial) fail('Saved plan is stale');
    writeFileSync('state.json', JSON.stringify({ serial: serial + 1, resources: plan.planned }));
    process.stdout.write('Apply complete!\n');
    break;
  }
  default:
    fail(`There is no command ${command}`);
}
