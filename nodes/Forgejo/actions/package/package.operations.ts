import { listPackages } from '../../../../lib/forgejo/packages';
import { schema } from '../../../declaration';
import { packageOutput } from '../../fields';
import { operation } from '../../operation';
import { packagesField } from './fields';

export const listPackagesOperation = operation({
  resource: 'package',
  name: 'list',
  action: 'List packages',
  description: 'Lists every version of the packages of an owner, all pages',
  effect: 'reads',
  input: packagesField,
  output: schema.object(packageOutput),
  run: ({ input: { owner, type, search }, api, task }) => listPackages(api, { owner, type, search }, task),
});
