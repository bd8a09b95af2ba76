import type { Place } from '@liquefy/client'
import type { FastifyInstance } from 'fastify'
import { forgetMachinePlace, saveMachinePlace } from '../store/places.ts'
import type { ApiContext } from './context.ts'
import { ownerOrOperatorOnly } from './owner.ts'
import { route } from './route.ts'
import * as schemas from './schemas.ts'

/** Where a machine stands that does not measure it: its owner says so, or takes it back. */
export function addPlaceRoutes(app: FastifyInstance, context: ApiContext): void {
  const db = context.database.pool
  const params = schemas.machineParams
  const security = [{ session: [] }]
  app.put<{ Params: { id: string }; Body: Place }>(
    '/v1/machines/:id/place',
    route(
      'Says where a machine stands that does not measure it; for its owner, or the operator of its vault',
      schemas.place,
      {
        params,
        body: schemas.place,
        security,
      },
    ),
    async (request) => {
      const machineId = BigInt(request.params.id)
      await ownerOrOperatorOnly(context, request, machineId, 'say where it stands')
      const { latitudeE7, longitudeE7 } = request.body
      await saveMachinePlace(db, machineId, { latitudeE7, longitudeE7 })
      return { latitudeE7, longitudeE7 }
    },
  )
  app.delete<{ Params: { id: string } }>(
    '/v1/machines/:id/place',
    route('Forgets what its owner said of where a machine stands', schemas.placeForgotten, {
      params,
      security,
    }),
    async (request) => {
      const machineId = BigInt(request.params.id)
      await ownerOrOperatorOnly(context, request, machineId, 'take back where it stands')
      await forgetMachinePlace(db, machineId)
      return { machineId: String(machineId) }
    },
  )
}
