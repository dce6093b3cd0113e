//! Ports of the driver.

use super::Conf;

/// The ports that a driver listens on, by its settings.
///
/// Source: `DriverServiceFeatureStep` and `BasicDriverFeatureStep` of Spark. The Service ignores
/// `spark.blockManager.port`, which the container uses.
pub struct Ports {
    pub rpc: i64,
    pub block_manager: i64,
    pub service_block_manager: i64,
    pub ui: i64,
    pub connect: i64,
}

impl Ports {
    pub fn of(conf: &Conf) -> Self {
        let port = |key: &str| conf.get(key).and_then(|text| text.trim().parse::<i64>().ok());
        let service_block_manager = port("spark.driver.blockManager.port");
        Self {
            rpc: port("spark.driver.port").unwrap_or(7078),
            block_manager: service_block_manager.or(port("spark.blockManager.port")).unwrap_or(7079),
            service_block_manager: service_block_manager.unwrap_or(7079),
            ui: port("spark.ui.port").unwrap_or(4040),
            connect: port("spark.connect.grpc.binding.port").unwrap_or(15002),
        }
    }
}
