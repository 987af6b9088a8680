import { number, toggle } from '../declaration';

export const returnAllField = toggle({
  label: 'Return All',
  default: true,
  description: 'Whether to return all results or only up to a given limit',
});

export const limitField = number({
  label: 'Limit',
  default: 50,
  min: 1,
  integer: true,
  description: 'Max number of results to return',
});
