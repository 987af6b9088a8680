export { checkExchange, type Contract, contractOf } from './contract';
export { coverageOf, type Coverage, type Excluded } from './coverage';
export type { Exchange, ExchangeAnswer, ExchangeRequest } from './exchange';
