import { readFileSync } from 'node:fs'

/** A known-answer file of docs/protocol/vectors, which the Solidity tests read too. */
export function readVectors(name: string): unknown {
  return JSON.parse(
    readFileSync(
      new URL(`../../../../docs/protocol/vectors/${name}.json`, import.meta.url),
      'utf8',
    ),
  )
}
