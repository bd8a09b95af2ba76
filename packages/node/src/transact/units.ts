import type { TariffUnit } from '@liquefy/protocol'

/** What prices are quoted in, where that is larger than the register's unit. */
const QUOTED: Readonly<Record<string, string>> = { g: 'kg', ml: 'l', Wh: 'kWh', m: 'km' }

/** How a tariff speaks of a register with this unit, empty where the rule is not known; `label` tells it apart from others. */
export function tariffUnit(unit: string, register: number, label = ''): TariffUnit {
  const quoted = QUOTED[unit]
  if (quoted) return { unit: quoted, per: 1000n, label }
  return { unit: unit === '' ? `unit of register ${register + 1}` : unit, per: 1n, label }
}
