import type { Excluded } from '../../../lab/standins/contract';

export const excluded: Excluded = {};
