import type { MachinePlace, Place } from '@liquefy/client'
import type { Queryable } from './database.ts'

/** Keeps where a machine stands, as its owner says; degrees of WGS 84 times 10^7. */
export async function saveMachinePlace(
  db: Queryable,
  machineId: bigint,
  { latitudeE7, longitudeE7 }: Place,
): Promise<void> {
  await db.query(
    `INSERT INTO machine_places VALUES ($1, $2, $3)
     ON CONFLICT (machine_id) DO UPDATE SET latitude_e7 = EXCLUDED.latitude_e7, longitude_e7 = EXCLUDED.longitude_e7`,
    [machineId, latitudeE7, longitudeE7],
  )
}

/** Forgets what an owner said; what a machine measured stays. */
export async function forgetMachinePlace(db: Queryable, machineId: bigint): Promise<void> {
  await db.query('DELETE FROM machine_places WHERE machine_id = $1', [machineId])
}

/** Where all machines are, or one, as far as it is known: the newest position that a machine measured, else what its owner said. */
export async function readPlaces(
  db: Queryable,
  machineId?: bigint,
): Promise<Map<bigint, MachinePlace>> {
  const { rows } = await db.query(
    `SELECT m.machine_id, p.latitude_e7, p.longitude_e7, r.latitude, r.longitude, r.minute_ms
     FROM machines m
       LEFT JOIN machine_places p USING (machine_id)
       LEFT JOIN LATERAL (
         SELECT lat.last AS latitude, lon.last AS longitude, lat.minute_ms
         FROM rollups lat JOIN rollups lon USING (machine_id, stream, name, minute_ms)
         WHERE lat.machine_id = m.machine_id AND lat.unit = 'lat' AND lon.unit = 'lon'
           AND abs(lat.last) <= 90 AND abs(lon.last) <= 180
         ORDER BY lat.minute_ms DESC LIMIT 1
       ) r ON true
     WHERE ($1::numeric IS NULL OR m.machine_id = $1) AND (r.latitude IS NOT NULL OR p.latitude_e7 IS NOT NULL)`,
    [machineId ?? null],
  )
  return new Map(
    rows.map((row): [bigint, MachinePlace] => [
      BigInt(row.machine_id),
      row.latitude === null
        ? { latitudeE7: row.latitude_e7, longitudeE7: row.longitude_e7, from: 'owner' }
        : {
            latitudeE7: Math.round(row.latitude * 1e7),
            longitudeE7: Math.round(row.longitude * 1e7),
            from: 'readings',
          },
    ]),
  )
}
